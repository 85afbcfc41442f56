package testnet

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"interlock/node/casefile"
	"interlock/node/certificate"
	"interlock/node/desk"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// verified is who has compared all, from the certificate and the file of the network
// alone.
func verified(c certificate.Certificate, network directory.Network) (readers []directory.AgencyID, err error) {
	compared, _, err := c.Verify(network)
	for _, m := range compared {
		readers = append(readers, m.Agency.ID)
	}
	return readers, err
}

func certified(t *testing.T, a *Agency, c casefile.CaseID) (cert certificate.Certificate) {
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
	readers, err := verified(cert, network)
	if err != nil || len(readers) != 2 || len(cert.Missing) != 0 || len(cert.Receipts) != 3 {
		t.Fatalf("%d receipts prove that %v have compared all, %v; missing %v", len(cert.Receipts), readers, err, cert.Missing)
	}

	net.Partition(denver, boulder)
	net.Partition(aurora, boulder)
	shares(t, denver, d, shared, "four@example.org")
	awaitCovered(t, denver, d, "aurora-pd")
	cert = certified(t, denver, d)
	readers, err = verified(cert, network)
	if err != nil || !slices.Equal(readers, []directory.AgencyID{"aurora-pd"}) || !slices.Equal(cert.Missing, []directory.AgencyID{"boulder-so"}) {
		t.Errorf("boulder is cut off: %v have compared all, %v; missing %v", readers, err, cert.Missing)
	}
	cert.Missing = nil
	if _, err := verified(cert, network); !errors.Is(err, certificate.ErrNotProven) {
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
func altered(t *testing.T, cert certificate.Certificate, network directory.Network) {
	t.Helper()
	want, err := verified(cert, network)
	if err != nil || len(want) != 2 {
		t.Fatalf("the true certificate: %v, %v", want, err)
	}
	signed := func(of []byte, step int) {
		t.Helper()
		for i := 0; i < len(of); i += step {
			of[i] ^= 1
			if got, err := verified(cert, network); err == nil && len(got) >= len(want) {
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
	for name, alter := range map[string]func(*certificate.Certificate){
		"of more entries":  func(c *certificate.Certificate) { c.Entries[0].Number += 1000 },
		"of fewer entries": func(c *certificate.Certificate) { c.Entries[0].Number-- },
		"of another case":  func(c *certificate.Certificate) { c.Case = "00" },
		"of another time":  func(c *certificate.Certificate) { c.Made = c.Made.Add(time.Hour) },
	} {
		other := cert
		other.Entries = slices.Clone(cert.Entries)
		alter(&other)
		if _, err := verified(other, network); !errors.Is(err, certificate.ErrNotProven) {
			t.Errorf("a certificate %s: %v", name, err)
		}
	}
}
