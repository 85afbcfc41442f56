package oprf

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cloudflare/circl/oprf"
	"github.com/google/go-cmp/cmp"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// hexList is a list of byte strings, as the vectors write them.
type hexList [][]byte

func (l *hexList) UnmarshalText(text []byte) error {
	for _, s := range strings.Split(string(text), ",") {
		b, err := hex.DecodeString(s)
		if err != nil {
			return err
		}
		*l = append(*l, b)
	}
	return nil
}

type rfcVector struct {
	BlindedElement, EvaluationElement, Input, Output hexList
	Proof                                            struct{ Proof, R hexList }
}

type rfcVectors struct {
	PkSm, SkSm, Seed, KeyInfo hexList
	Vectors                   []rfcVector
}

func readVectors(t testing.TB) rfcVectors {
	t.Helper()
	b, err := os.ReadFile("testdata/rfc9497_voprf_ristretto255.json")
	if err != nil {
		t.Fatal(err)
	}
	var v rfcVectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Vectors) != 3 {
		t.Fatalf("got %d vectors, want the 3 of the RFC", len(v.Vectors))
	}
	return v
}

func mustScalar(t testing.TB, b []byte) scalar.Scalar {
	t.Helper()
	var s scalar.Scalar
	if _, err := s.SetCanonicalBytes(b); err != nil {
		t.Fatal(err)
	}
	return s
}

func elementsOf(t testing.TB, list [][]byte) []Element {
	t.Helper()
	elements := make([]Element, len(list))
	for i, b := range list {
		if len(b) != ElementSize {
			t.Fatalf("element of %d bytes", len(b))
		}
		elements[i] = Element(b)
	}
	return elements
}

func TestTheRFCKeyPairIsOurs(t *testing.T) {
	v := readVectors(t)
	derived, err := oprf.DeriveKey(oprf.SuiteRistretto255, oprf.VerifiableMode, v.Seed[0], v.KeyInfo[0])
	if err != nil {
		t.Fatal(err)
	}
	secret, err := derived.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v.SkSm[0], secret); diff != "" {
		t.Errorf("derived secret key (-want +got):\n%s", diff)
	}
	s := mustScalar(t, v.SkSm[0])
	keys, _, err := dealSecret(rand.Reader, &s, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := keys.Public, PublicKey(v.PkSm[0]); got != want {
		t.Errorf("public key: got %x, want %x", got, want)
	}
}

func TestTheRFCEvaluationsAndProofsHoldByteForByte(t *testing.T) {
	v := readVectors(t)
	k := mustScalar(t, v.SkSm[0])
	for i, vector := range v.Vectors {
		t.Run(fmt.Sprintf("vector %d", i+1), func(t *testing.T) {
			blinded := elementsOf(t, vector.BlindedElement)
			points, err := decodeAll(blinded)
			if err != nil {
				t.Fatal(err)
			}
			r := mustScalar(t, vector.Proof.R[0])
			e := evaluateWith(&k, batch{encoded: blinded, points: points})
			if diff := cmp.Diff(elementsOf(t, vector.EvaluationElement), e.evaluated); diff != "" {
				t.Errorf("evaluated elements (-want +got):\n%s", diff)
			}
			if got, want := e.prove(&k, &r), Proof(vector.Proof.Proof[0]); got != want {
				t.Errorf("proof: got %x, want %x", got, want)
			}
		})
	}
}

func TestAClientAcceptsTheRFCProofs(t *testing.T) {
	v := readVectors(t)
	for i, vector := range v.Vectors {
		t.Run(fmt.Sprintf("vector %d", i+1), func(t *testing.T) {
			s := mustScalar(t, v.SkSm[0])
			keys, _, err := dealSecret(rand.Reader, &s, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			client := newClient(t, keys)
			r := requestFor(t, client, elementsOf(t, vector.BlindedElement))
			answer := Answer{Server: 1, Evaluated: elementsOf(t, vector.EvaluationElement), Proof: Proof(vector.Proof.Proof[0])}
			if err := checkOne(r, []Index{1}, answer); err != nil {
				t.Errorf("the RFC's proof: %v", err)
			}
			answer.Proof[0] ^= 1
			if err := checkOne(r, []Index{1}, answer); err == nil {
				t.Error("the RFC's proof with one bit turned was accepted")
			}
		})
	}
}

func TestTheRFCOutputsComeFromAnyQuorum(t *testing.T) {
	v := readVectors(t)
	for _, size := range []struct{ threshold, servers int }{{1, 1}, {2, 3}, {3, 5}} {
		s := mustScalar(t, v.SkSm[0])
		keys, shares, err := dealSecret(rand.Reader, &s, size.threshold, size.servers)
		if err != nil {
			t.Fatal(err)
		}
		for _, quorum := range quorums(size.threshold, size.servers) {
			for i, vector := range v.Vectors {
				t.Run(fmt.Sprintf("%d of %d, quorum %v, vector %d", size.threshold, size.servers, quorum, i+1), func(t *testing.T) {
					got := evaluate(t, newClient(t, keys), shares, quorum, vector.Input)
					want := make([]Token, len(vector.Output))
					for j, output := range vector.Output {
						want[j] = Token(output)
					}
					if !tokensEqual(got, want) {
						t.Error("tokens differ from the RFC's outputs")
					}
				})
			}
		}
	}
}
