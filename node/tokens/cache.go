package tokens

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/identifier"
)

// remembered is how many tokens a cache holds: four batches, so that what was
// evaluated for a caller that gave up is still there when it asks again.
const remembered = 4 * batchSize

// name stands for an identifier in the cache: HMAC-SHA-256 of its input under a
// key of this process (RFC 2104).
type name [sha256.Size]byte

// cache remembers the newest tokens of one epoch, each under AES-256-GCM (NIST
// SP 800-38D) with a key of this process. Neither an identifier nor a token lies
// in it in clear. Its methods need the owner's lock, except those that say
// otherwise.
type cache struct {
	naming []byte      // key of the names; fixed
	aead   cipher.AEAD // fixed

	epoch token.Epoch
	held  map[name][]byte // sealed tokens of epoch
	order []name          // as they came; from next on the oldest, once it is full
	next  int
}

func newCache() (*cache, error) {
	naming, sealing := make([]byte, sha256.Size), make([]byte, 32)
	defer clear(sealing)
	for _, k := range [][]byte{naming, sealing} {
		if _, err := rand.Read(k); err != nil {
			return nil, fmt.Errorf("key of the token cache: %w", err)
		}
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, fmt.Errorf("key of the token cache: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("key of the token cache: %w", err)
	}
	return &cache{naming: naming, aead: aead, held: map[name][]byte{}}, nil
}

// namer returns what makes names; it is for one goroutine. The owner's lock is
// not needed.
func (c *cache) namer() hash.Hash { return hmac.New(sha256.New, c.naming) }

// nameOf is the name of an identifier.
func nameOf(h hash.Hash, id identifier.Identifier) (n name) {
	input := id.Input()
	h.Reset()
	h.Write(input)
	clear(input)
	h.Sum(n[:0])
	return n
}

// seal encrypts tokens for put. The owner's lock is not needed.
func (c *cache) seal(epoch token.Epoch, names []name, tokens []oprf.Token) [][]byte {
	sealed := make([][]byte, len(tokens))
	for i := range tokens {
		sealed[i] = c.aead.Seal(nil, nil, tokens[i][:], bound(epoch, names[i]))
	}
	return sealed
}

// bound is the associated data: epoch ‖ name.
func bound(epoch token.Epoch, n name) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(n)), uint32(epoch)), n[:]...)
}

// put remembers a sealed token, in the place of the oldest where there is no
// room. A token of a former epoch is not taken.
func (c *cache) put(epoch token.Epoch, n name, sealed []byte) {
	c.enter(epoch)
	if epoch != c.epoch {
		return
	}
	if _, ok := c.held[n]; !ok {
		if len(c.order) < remembered {
			c.order = append(c.order, n)
		} else {
			delete(c.held, c.order[c.next])
			c.order[c.next] = n
			c.next = (c.next + 1) % remembered
		}
	}
	c.held[n] = sealed
}

// get decrypts the token of a name in an epoch into t, where it is remembered.
func (c *cache) get(epoch token.Epoch, n name, t *oprf.Token) bool {
	c.enter(epoch)
	sealed, ok := c.held[n]
	if !ok || epoch != c.epoch {
		return false
	}
	_, err := c.aead.Open(t[:0], nil, sealed, bound(epoch, n))
	return err == nil
}

// enter forgets everything when a new epoch begins.
func (c *cache) enter(epoch token.Epoch) {
	if epoch > c.epoch {
		c.forget()
		c.epoch = epoch
	}
}

func (c *cache) forget() {
	clear(c.held)
	c.order, c.next = nil, 0
}
