package testnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// certificate is a coverage certificate as whoever gets the file reads it.
type certificate struct {
	Agency  directory.AgencyID
	Case    string
	Entries []struct {
		Audience directory.Audience
		Number   uint64
	}
	Receipts  [][]byte
	Missing   []directory.AgencyID
	Directory []byte
}

var errUncovered = errors.New("a member of the audience has no receipt, and is not said to be missing")

// verify finds out who has compared the case, from the certificate and the file of
// the network alone.
func (c certificate) verify(network directory.Network) (readers []directory.AgencyID, err error) {
	var signed wire.SignedDirectory
	if err := wire.Unmarshal(c.Directory, &signed); err != nil {
		return nil, err
	}
	d, err := network.Trust().Verify(&signed)
	if err != nil {
		return nil, err
	}
	type covers struct {
		reader   directory.AgencyID
		audience directory.Audience
	}
	until := map[covers]uint64{}
	for _, b := range c.Receipts {
		var m wire.Receipt
		if err := wire.Unmarshal(b, &m); err != nil {
			return nil, err
		}
		r, err := feed.ParseReceipt(&m)
		if err != nil {
			return nil, err
		}
		reader, ok := d.Agency(r.Reader)
		if !ok || r.Author != c.Agency || !r.Verified(reader.Key) {
			return nil, fmt.Errorf("receipt of %s: %w", r.Reader, feed.ErrForged)
		}
		until[covers{r.Reader, r.Audience}] = r.Number
	}
	for _, m := range d.Active() {
		all := m.ID != c.Agency && len(c.Entries) > 0
		for _, e := range c.Entries {
			if e.Audience.Admits(d, c.Agency, m.ID) && until[covers{m.ID, e.Audience}] < e.Number {
				all = false
			}
		}
		if all {
			readers = append(readers, m.ID)
		} else if m.ID != c.Agency && !slices.Contains(c.Missing, m.ID) {
			return nil, fmt.Errorf("%s: %w", m.ID, errUncovered)
		}
	}
	return readers, nil
}

func certified(t *testing.T, a *Agency, c casefile.CaseID) (cert certificate) {
	t.Helper()
	b, err := a.Node().Certificate(c)
	if err == nil {
		err = json.Unmarshal(b, &cert)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// awaitCovered waits until exactly these members have compared a case, and signed
// that they have.
func awaitCovered(t *testing.T, a *Agency, c casefile.CaseID, want ...directory.AgencyID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last desk.Coverage
	err := a.net.await(ctx, "the coverage", func() (bool, error) {
		var err error
		last, err = a.Node().Coverage(c)
		var complete []directory.AgencyID
		for _, m := range last.Members {
			if m.Complete && m.Signed {
				complete = append(complete, m.Agency.ID)
			}
		}
		slices.Sort(complete)
		return slices.Equal(complete, want), err
	})
	if err != nil {
		t.Fatalf("%v: it is %+v", err, last)
	}
}

func TestCoverageIsCompleteOnceAllHaveComparedAndNamesWhoHasNot(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so", "aurora-pd")})
	denver, boulder, aurora := net.Agency("denver-pd"), net.Agency("boulder-so"), net.Agency("aurora-pd")
	network := net.pinned(t)
	d := opens(t, denver, "D-1")
	shares(t, denver, d, shared, "one@example.org two@example.org")
	shares(t, denver, d, toListed(t, "boulder-so"), "three@example.org")
	awaitCovered(t, denver, d, "aurora-pd", "boulder-so")
	cert := certified(t, denver, d)
	readers, err := cert.verify(network)
	if err != nil || len(readers) != 2 || len(cert.Missing) != 0 || len(cert.Receipts) != 3 {
		t.Fatalf("%d receipts prove that %v have compared all, %v; missing %v", len(cert.Receipts), readers, err, cert.Missing)
	}

	net.Partition(denver, boulder)
	net.Partition(aurora, boulder)
	shares(t, denver, d, shared, "four@example.org")
	awaitCovered(t, denver, d, "aurora-pd")
	cert = certified(t, denver, d)
	readers, err = cert.verify(network)
	if err != nil || !slices.Equal(readers, []directory.AgencyID{"aurora-pd"}) || !slices.Equal(cert.Missing, []directory.AgencyID{"boulder-so"}) {
		t.Errorf("boulder is cut off: %v have compared all, %v; missing %v", readers, err, cert.Missing)
	}
	cert.Missing = nil
	if _, err := cert.verify(network); !errors.Is(err, errUncovered) {
		t.Errorf("a certificate that hides who is missing: %v", err)
	}

	net.Heal(denver, boulder)
	net.Heal(aurora, boulder)
	awaitCovered(t, denver, d, "aurora-pd", "boulder-so")
	settleAndCheck(t, net)
	altered(t, certified(t, denver, d), network)
}

// altered turns every byte of the receipts and of the directory, one at a time:
// none of these certificates proves what the true one does.
func altered(t *testing.T, cert certificate, network directory.Network) {
	t.Helper()
	want, err := cert.verify(network)
	if err != nil || len(want) != 2 {
		t.Fatalf("the true certificate: %v, %v", want, err)
	}
	signed := func(of []byte, step int) {
		t.Helper()
		for i := 0; i < len(of); i += step {
			of[i] ^= 1
			if got, err := cert.verify(network); err == nil && len(got) >= len(want) {
				t.Errorf("byte %d of %d altered, and it proves the same", i, len(of))
			}
			of[i] ^= 1
		}
	}
	for _, r := range cert.Receipts {
		signed(r, 1)
	}
	var m wire.SignedDirectory
	if err := wire.Unmarshal(cert.Directory, &m); err != nil {
		t.Fatal(err)
	}
	signed(cert.Directory[:len(m.Directory)], 97) // where the directory lies, before its signatures
	cert.Entries[0].Number += 1000
	if _, err := cert.verify(network); !errors.Is(err, errUncovered) {
		t.Errorf("a certificate of more than was compared: %v", err)
	}
}
