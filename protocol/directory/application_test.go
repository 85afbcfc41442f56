package directory

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

// The keys of the applications here: the agency's new and old one, its
// invitation's, and somebody else's.
const (
	newKey, oldKey, invitationKey, otherKey byte = 20, 40, 41, 42
)

var here = GenesisHash{9}

// applied is an application signed by all that can sign one.
func applied(t testing.TB, by Signers, unix uint64) *wire.Application {
	t.Helper()
	m, err := SignApplication(by, here, example(t).Agencies[0], unix)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func everySigner() Signers {
	old := peer(oldKey)
	return Signers{Key: key(newKey), Invitation: key(invitationKey), Replaces: &old, Old: key(oldKey)}
}

func TestAnApplicationIsWhatItsKeySigned(t *testing.T) {
	good := applied(t, Signers{Key: key(newKey)}, 1)
	got, hash, err := CheckApplication(good, here)
	if err != nil || got.ID != "boulder-so" || got.Status != Pending || got.Key != peer(newKey) {
		t.Fatalf("CheckApplication = %v, %v, %v", got.ID, got.Status, err)
	}
	if _, other, err := CheckApplication(applied(t, Signers{Key: key(newKey)}, 2), here); err != nil || other == hash {
		t.Errorf("two applications have one hash, %v", err)
	}
	for name, genesis := range map[string]GenesisHash{"another": {8}, "none": {}} {
		if _, _, err := CheckApplication(good, genesis); !errors.Is(err, ErrOtherNetwork) {
			t.Errorf("to the network %s: %v, want %v", name, err, ErrOtherNetwork)
		}
	}
	if _, _, err := CheckApplication(nil, here); err == nil {
		t.Error("no application is taken")
	}
}

func TestAnApplicationMaySayMoreThanOneSignature(t *testing.T) {
	old := peer(oldKey)
	for name, by := range map[string]Signers{
		"the agency's alone":           {Key: key(newKey)},
		"invited":                      {Key: key(newKey), Invitation: key(invitationKey)},
		"with a new key":               {Key: key(newKey), Replaces: &old, Old: key(oldKey)},
		"with a new key, the old lost": {Key: key(newKey), Replaces: &old},
		"lost, and invited again":      {Key: key(newKey), Replaces: &old, Invitation: key(invitationKey)},
		"all":                          everySigner(),
	} {
		m := applied(t, by, 1)
		if _, _, err := CheckApplication(m, here); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, want := len(m.Invited) > 0, by.Invitation != nil; got != want {
			t.Errorf("%s: signed by an invitation %t, want %t", name, got, want)
		}
		if got, want := len(m.Replaced) > 0, by.Old != nil; got != want {
			t.Errorf("%s: signed by the old key %t, want %t", name, got, want)
		}
	}
}

// TestNothingInAnApplicationCanBeExchanged: each signature is over the whole,
// and stands for what it was made for.
func TestNothingInAnApplicationCanBeExchanged(t *testing.T) {
	another, old := peer(otherKey), peer(oldKey)
	tests := []struct {
		name string
		edit func(m *wire.Application, unsigned []byte)
	}{
		{"contact", func(m *wire.Application, _ []byte) { m.Contact = "another desk" }},
		{"addresses", func(m *wire.Application, _ []byte) { m.Addresses = []string{"/ip4/127.0.0.9/tcp/2"} }},
		{"key", func(m *wire.Application, _ []byte) { m.Key = another[:] }},
		{"time", func(m *wire.Application, _ []byte) { m.Time++ }},
		{"signature altered", func(m *wire.Application, _ []byte) { m.Signature[0] ^= 1 }},
		{"signature absent", func(m *wire.Application, _ []byte) { m.Signature = nil }},
		{"signature foreign", func(m *wire.Application, b []byte) {
			m.Signature = vault.Sign(key(otherKey), vault.ContextApplication, b)
		}},
		{"invitation's signature altered", func(m *wire.Application, _ []byte) { m.Invited[0] ^= 1 }},
		{"invitation's signature absent", func(m *wire.Application, _ []byte) { m.Invited = nil }},
		{"invitation's signature foreign", func(m *wire.Application, b []byte) {
			m.Invited = vault.Sign(key(otherKey), vault.ContextInvitation, b)
		}},
		{"invitation's signature for another purpose", func(m *wire.Application, b []byte) {
			m.Invited = vault.Sign(key(invitationKey), vault.ContextApplication, b)
		}},
		{"invitation exchanged", func(m *wire.Application, _ []byte) { m.Invitation = another[:] }},
		{"invitation taken out", func(m *wire.Application, _ []byte) { m.Invitation = nil }},
		{"invitation and its signature taken out", func(m *wire.Application, _ []byte) { m.Invitation, m.Invited = nil, nil }},
		{"invitation cut", func(m *wire.Application, _ []byte) { m.Invitation = m.Invitation[:31] }},
		{"old key's signature altered", func(m *wire.Application, _ []byte) { m.Replaced[0] ^= 1 }},
		{"old key's signature foreign", func(m *wire.Application, b []byte) {
			m.Replaced = vault.Sign(key(otherKey), vault.ContextSuccession, b)
		}},
		{"old key's signature by the new key", func(m *wire.Application, b []byte) {
			m.Replaced = vault.Sign(key(newKey), vault.ContextSuccession, b)
		}},
		{"old key's signature for another purpose", func(m *wire.Application, b []byte) {
			m.Replaced = vault.Sign(key(oldKey), vault.ContextApplication, b)
		}},
		{"old key exchanged", func(m *wire.Application, _ []byte) { m.Replaces = another[:] }},
		{"old key taken out", func(m *wire.Application, _ []byte) { m.Replaces = nil }},
		{"old key and its signature taken out", func(m *wire.Application, _ []byte) { m.Replaces, m.Replaced = nil, nil }},
		{"signatures exchanged", func(m *wire.Application, _ []byte) { m.Invited, m.Replaced = m.Replaced, m.Invited }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := applied(t, everySigner(), 1)
			b, err := unsigned(m)
			if err != nil {
				t.Fatal(err)
			}
			tt.edit(m, b)
			if _, _, err := CheckApplication(m, here); !errors.Is(err, ErrSignature) {
				t.Errorf("CheckApplication = %v, want %v", err, ErrSignature)
			}
		})
	}
	// A signature is not to be added where its key is not named.
	alone := applied(t, Signers{Key: key(newKey)}, 1)
	b, err := unsigned(alone)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*wire.Application){
		"invitation": func(m *wire.Application) { m.Invited = vault.Sign(key(invitationKey), vault.ContextInvitation, b) },
		"old key":    func(m *wire.Application) { m.Replaced = vault.Sign(key(oldKey), vault.ContextSuccession, b) },
	} {
		m := proto.Clone(alone).(*wire.Application)
		edit(m)
		if _, _, err := CheckApplication(m, here); !errors.Is(err, ErrSignature) {
			t.Errorf("signature of an %s that is not named: %v, want %v", name, err, ErrSignature)
		}
	}
	if old == another {
		t.Fatal("the keys of this test are one")
	}
}

// TestAnApplicationThatLostTheOldKeysSignatureIsAnother: operators who approve
// the one, which its old key vouches for, have not approved the other.
func TestAnApplicationThatLostTheOldKeysSignatureIsAnother(t *testing.T) {
	whole := applied(t, everySigner(), 1)
	_, want, err := CheckApplication(whole, here)
	if err != nil {
		t.Fatal(err)
	}
	cut := proto.Clone(whole).(*wire.Application)
	cut.Replaced = nil
	_, got, err := CheckApplication(cut, here)
	if err != nil {
		t.Fatalf("with the old key lost: %v", err)
	}
	if got == want {
		t.Error("both have one hash")
	}
}

func TestAKeyToReplaceIsOneEvenWhereItIsLost(t *testing.T) {
	m := applied(t, Signers{Key: key(newKey)}, 1)
	m.Replaces = []byte{1, 2, 3}
	b, err := unsigned(m)
	if err != nil {
		t.Fatal(err)
	}
	m.Signature = vault.Sign(key(newKey), vault.ContextApplication, b)
	if _, _, err := CheckApplication(m, here); !errors.Is(err, ErrSignature) {
		t.Errorf("CheckApplication = %v, want %v", err, ErrSignature)
	}
}

// FuzzCheckApplication signs what was drawn, for nothing else gets far, and
// checks that what is accepted is exactly what was read.
func FuzzCheckApplication(f *testing.F) {
	old := peer(oldKey)
	for _, by := range []Signers{{Key: key(newKey)}, everySigner(), {Key: key(newKey), Replaces: &old}} {
		b, err := wire.Marshal(applied(f, by, 1))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m wire.Application
		if wire.Unmarshal(b, &m) != nil {
			return
		}
		by := Signers{Key: key(newKey)}
		if p, err := wire.ParsePeer(m.Replaces); err == nil {
			by.Replaces = &p
		}
		if len(m.Invitation) > 0 {
			by.Invitation = key(invitationKey)
		}
		k := wire.PeerOf(by.Key)
		m.Key, m.Genesis, m.Replaced = k[:], here[:], nil
		resign(t, &m, by)
		a, _, err := CheckApplication(&m, here)
		if err != nil {
			return
		}
		again, err := SignApplication(by, here, a, m.Time)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&m, again, cmp.Comparer(func(a, b *wire.Application) bool { return proto.Equal(a, b) })); diff != "" {
			t.Fatalf("read and signed again it differs:\n%s", diff)
		}
		written, err := wire.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if read, err := wire.Marshal(&m); err != nil || !bytes.Equal(read, written) {
			t.Fatalf("two encodings of one application, %v", err)
		}
	})
}

// resign signs m anew, as it is.
func resign(t testing.TB, m *wire.Application, by Signers) {
	t.Helper()
	m.Invitation, m.Invited = nil, nil
	if by.Invitation != nil {
		p := wire.PeerOf(by.Invitation)
		m.Invitation = p[:]
	}
	b, err := unsigned(m)
	if err != nil {
		t.Fatal(err)
	}
	m.Signature = vault.Sign(by.Key, vault.ContextApplication, b)
	if by.Invitation != nil {
		m.Invited = vault.Sign(by.Invitation, vault.ContextInvitation, b)
	}
}
