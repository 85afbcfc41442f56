package feed

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"interlock/protocol/wire"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 600, time.UTC)

func TestAReceiptIsWhatItsReaderSigned(t *testing.T) {
	id := ID{denver.Author, listed(t, "boulder-so")}
	at := Position{Generation: 2, Number: 7, Hash: Hash{1}}
	r := SignReceipt("boulder-so", key(1), id, at, noon)
	got, err := ParseReceipt(r.Message())
	if diff := cmp.Diff(r, got, sameAudience); err != nil || diff != "" || !got.Verified(wire.PeerOf(key(1))) {
		t.Fatalf("ParseReceipt: %v (-want +got):\n%s", err, diff)
	}
	for name, f := range map[string]func(*Receipt){
		"another reader":     func(r *Receipt) { r.Reader = "aurora-pd" },
		"another author":     func(r *Receipt) { r.Author = "aurora-pd" },
		"another audience":   func(r *Receipt) { r.Audience = listed(t, "aurora-pd") },
		"another generation": func(r *Receipt) { r.Generation = 1 },
		"further on":         func(r *Receipt) { r.Number++ },
		"another history":    func(r *Receipt) { r.Hash[0] = 2 },
		"later":              func(r *Receipt) { r.Time = r.Time.Add(time.Second) },
		"no signature":       func(r *Receipt) { r.Signature = nil },
		"a name that runs on": func(r *Receipt) {
			r.Reader, r.Author = r.Reader+"d", r.Author[1:]
		},
	} {
		other := r
		f(&other)
		if other.Verified(wire.PeerOf(key(1))) {
			t.Errorf("%s: the signature still holds", name)
		}
	}
	if r.Verified(wire.PeerOf(key(2))) {
		t.Error("the signature holds under another key")
	}
	h := Sign(id, key(1), at)
	if h.Signature = r.Signature; h.Verified(wire.PeerOf(key(1))) {
		t.Error("a receipt's signature is one of a head")
	}
}

func TestAReceiptThatNobodyMayWriteIsMalformed(t *testing.T) {
	for name, f := range map[string]func(*wire.Receipt){
		"no reader":           func(r *wire.Receipt) { r.Reader = "" },
		"no author":           func(r *wire.Receipt) { r.Author = "" },
		"a short hash":        func(r *wire.Receipt) { r.Hash = r.Hash[1:] },
		"generation nought":   func(r *wire.Receipt) { r.Generation = 0 },
		"no audience":         func(r *wire.Receipt) { r.Audience = "everyone" },
		"the end of all time": func(r *wire.Receipt) { r.Time = math.MaxUint64 },
	} {
		m := SignReceipt("boulder-so", key(1), denver, Start(denver, 1), noon).Message()
		f(m)
		if _, err := ParseReceipt(m); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: ParseReceipt = %v, want %v", name, err, ErrMalformed)
		}
	}
	if _, err := ParseReceipt(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("no receipt: %v, want %v", err, ErrMalformed)
	}
}

func FuzzReceipt(f *testing.F) {
	for _, id := range []ID{denver, {denver.Author, listed(f, "boulder-so")}} {
		seed, err := wire.Marshal(SignReceipt("boulder-so", key(1), id, Start(id, 2), noon).Message())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m wire.Receipt
		if wire.Unmarshal(raw, &m) != nil {
			return
		}
		r, err := ParseReceipt(&m)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		again, err := wire.Marshal(r.Message())
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("parsed and encoded again: %x, %v; want %x", again, err, raw)
		}
	})
}
