package centre

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestAConfigurationReadsBackAsItWas(t *testing.T) {
	want := Config{Listen: []string{"/ip4/0.0.0.0/tcp/4001"}, Unlock: "unlock.key"}
	b, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), configFile)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Fatalf("Load (-want +got):\n%s", diff)
	}
	if got.path("x") != filepath.Join(filepath.Dir(path), "x") || got.path("/x") != "/x" {
		t.Fatal("paths are not relative to the file")
	}
}

func TestAWrongConfigurationIsNamed(t *testing.T) {
	const good = "listen = ['/ip4/0.0.0.0/tcp/4001']\nunlock = 'unlock.key'\n"
	rows := []struct{ name, old, new, want string }{
		{"an unknown key", "unlock =", "treshold = 2\nunlock =", `line 2: unknown key "treshold"`},
		{"an unknown table", "unlock = 'unlock.key'", "unlock = 'unlock.key'\n[raft]\nspeed = 1", `unknown key "raft`},
		{"nowhere to listen", "listen = ['/ip4/0.0.0.0/tcp/4001']", "listen = []", "listen: want"},
		{"host and port", "/ip4/0.0.0.0/tcp/4001", "0.0.0.0:4001", "listen: address"},
		{"no key file", "unlock = 'unlock.key'", "", "unlock: want"},
		{"no TOML", "listen =", "listen", "line 1"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), configFile)
			if err := os.WriteFile(path, []byte(strings.Replace(good, row.old, row.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(path); err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want the file and %q", err, row.want)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("listen = ['/ip4/0.0.0.0/tcp/4001']\nunlock = 'unlock.key'\n")
	f.Add("listen = ['/dns4/x/udp/1/quic-v1', '/ip6/::/tcp/1']\nunlock = '/media/key'\n")
	f.Add("[server]")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), configFile)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		if err != nil {
			return
		}
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := Load(path)
		if err != nil || !cmp.Equal(c, again, cmp.AllowUnexported(Config{})) {
			t.Fatalf("encoded and loaded again: got %+v, %v, want %+v", again, err, c)
		}
	})
}
