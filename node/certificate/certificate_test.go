package certificate

import (
	"errors"
	"testing"

	"interlock/protocol/directory"
)

// FuzzRead: whatever a file holds, it is read or refused, and nothing verifies
// without the signatures of a network's servers.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"Agency":"denver-pd","Entries":[{"Audience":"","Number":1}]}`,
		`{"Entries":[{"Audience":"agencies:b,a"}]}`, `{"Entries":[{"Audience":"group:a1"}],"Receipts":["AA=="],"Directory":"AA==","Signature":"AA=="}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Read(b)
		if err != nil {
			if !errors.Is(err, ErrNotProven) {
				t.Fatalf("Read: %v, want %v", err, ErrNotProven)
			}
			return
		}
		if _, _, err := c.Verify(directory.Network{Quorum: 1}); !errors.Is(err, ErrNotProven) {
			t.Fatalf("Verify: %v, want %v", err, ErrNotProven)
		}
	})
}
