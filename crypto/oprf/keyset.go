package oprf

import (
	"fmt"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// KeySet is the public half of one shared key, as the signed directory carries
// it: one for each epoch. Shares are in ascending order of their index.
type KeySet struct {
	Threshold int
	Public    PublicKey
	Shares    []PublicShare
}

// Validate reports whether the set holds together: a threshold that the servers
// can reach, distinct servers in order, keys that are elements, and all of them on
// one polynomial of degree exactly threshold-1 through Public at 0. Then every
// quorum evaluates under Public, and nothing smaller does. The error wraps
// [ErrKeySet].
func (k KeySet) Validate() error {
	_, err := k.open()
	return err
}

// keyring is a key set that was validated, decoded.
type keyring struct {
	threshold int
	public    curve.RistrettoPoint
	shares    map[Index]curve.RistrettoPoint
}

func (k KeySet) open() (keyring, error) {
	if err := checkSize(k.Threshold, len(k.Shares)); err != nil {
		return keyring{}, fmt.Errorf("open key set: %w", err)
	}
	// The public key is the polynomial's value at 0, so it goes first.
	nodes := make([]Index, 1, len(k.Shares)+1)
	values := make([]curve.RistrettoPoint, len(k.Shares)+1)
	if err := decode(&values[0], Element(k.Public)); err != nil {
		return keyring{}, fmt.Errorf("open key set: %w: public key: %w", ErrKeySet, err)
	}
	opened := keyring{threshold: k.Threshold, public: values[0], shares: make(map[Index]curve.RistrettoPoint, len(k.Shares))}
	for i, s := range k.Shares {
		if s.Index <= nodes[i] {
			return keyring{}, fmt.Errorf("open key set: %w: server %d does not follow %d", ErrKeySet, s.Index, nodes[i])
		}
		nodes = append(nodes, s.Index)
		if err := decode(&values[i+1], s.Key); err != nil {
			return keyring{}, fmt.Errorf("open key set: %w: share of server %d: %w", ErrKeySet, s.Index, err)
		}
		opened.shares[s.Index] = values[i+1]
	}
	if err := checkPolynomial(nodes, values, k.Threshold); err != nil {
		return keyring{}, fmt.Errorf("open key set: %w", err)
	}
	return opened, nil
}

// checkPolynomial reports whether the values lie, in the exponent, on a
// polynomial of degree exactly threshold-1.
func checkPolynomial(nodes []Index, values []curve.RistrettoPoint, threshold int) error {
	base := nodes[:threshold]
	for i := threshold; i < len(nodes); i++ {
		want := sum(lagrange(base, nodes[i]), values[:threshold], 1)
		if want.Equal(&values[i]) != 1 {
			return fmt.Errorf("%w: share of server %d belongs to another key", ErrKeySet, nodes[i])
		}
	}
	if threshold == 1 {
		return nil
	}
	// On a polynomial of lower degree one node fewer would foretell the last.
	lower := sum(lagrange(base[:threshold-1], base[threshold-1]), values[:threshold-1], 1)
	if lower.Equal(&values[threshold-1]) == 1 {
		return fmt.Errorf("%w: fewer than %d servers could evaluate", ErrKeySet, threshold)
	}
	return nil
}

// checkSize reports whether a threshold can be reached by a number of servers.
func checkSize(threshold, servers int) error {
	if servers < 1 || servers > MaxServers {
		return fmt.Errorf("%w: %d servers, want 1 to %d", ErrKeySet, servers, MaxServers)
	}
	if threshold < 1 || threshold > servers {
		return fmt.Errorf("%w: threshold %d of %d servers", ErrKeySet, threshold, servers)
	}
	return nil
}

// checkQuorum reports whether a quorum is exactly threshold distinct servers.
func checkQuorum(threshold int, quorum []Index) error {
	if threshold < 1 || threshold > MaxServers || len(quorum) != threshold {
		return fmt.Errorf("%w: %d servers for threshold %d", ErrQuorum, len(quorum), threshold)
	}
	for i, server := range quorum {
		if server == 0 {
			return fmt.Errorf("%w: servers are numbered from 1", ErrQuorum)
		}
		if slices.Contains(quorum[:i], server) {
			return fmt.Errorf("%w: server %d twice", ErrQuorum, server)
		}
	}
	return nil
}

// checkQuorum reports whether a quorum is exactly the threshold of distinct
// servers of the key set.
func (k *keyring) checkQuorum(quorum []Index) error {
	if err := checkQuorum(k.threshold, quorum); err != nil {
		return err
	}
	for _, server := range quorum {
		if _, ok := k.shares[server]; !ok {
			return fmt.Errorf("%w: no server %d", ErrQuorum, server)
		}
	}
	return nil
}
