// Package interlock holds the rules of the house, as tests over the whole
// repository.
package interlock

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file of the repository.
type source struct {
	path, dir string
	test      bool
	file      *ast.File
}

func (s source) imports() []string {
	var list []string
	for _, i := range s.file.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err == nil {
			list = append(list, path)
		}
	}
	return list
}

func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		list = append(list, source{path, filepath.ToSlash(filepath.Dir(path)), strings.HasSuffix(path, "_test.go"), f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 50 {
		t.Fatalf("only %d files found", len(list))
	}
	return list
}

// TestImportsPointDown: cmd, testnet, node, then replication and protocol,
// then crypto. Whoever imports upwards would let business reach into the
// protocols, or the protocols into business.
func TestImportsPointDown(t *testing.T) {
	layers := map[string]int{"cmd": 5, "testnet": 4, "node": 3, "replication": 2, "protocol": 1, "crypto": 0}
	for _, s := range sources(t) {
		from, ok := layers[strings.SplitN(s.dir, "/", 2)[0]]
		if !ok || s.test {
			continue
		}
		for _, path := range s.imports() {
			rest, ours := strings.CutPrefix(path, "interlock/")
			if !ours {
				continue
			}
			if to := layers[strings.SplitN(rest, "/", 2)[0]]; to > from {
				t.Errorf("%s imports %s, which is above it", s.path, path)
			}
			if strings.HasPrefix(rest, "replication/") && strings.HasPrefix(s.dir, "node") {
				t.Errorf("%s imports %s: a node speaks with the registry over links alone", s.path, path)
			}
		}
	}
}

// TestEachBigDependencyHasOneRoom: so that it can be replaced in one place.
func TestEachBigDependencyHasOneRoom(t *testing.T) {
	rooms := map[string][]string{
		"github.com/cockroachdb/pebble":                 {"node/store", "node/store/diskcrypt", "replication/cluster"},
		"github.com/libp2p/":                            {"protocol/link"},
		"github.com/multiformats/":                      {"protocol/link"},
		"github.com/hashicorp/":                         {"replication/cluster"},
		"filippo.io/age":                                {"crypto/vault"},
		"github.com/oasisprotocol/curve25519-voi":       {"crypto/oprf", "crypto/dkg"},
		"github.com/nyaruka/phonenumbers":               {"protocol/identifier"},
		"github.com/jhillyerd/enmime":                   {"node/intake"},
		"github.com/pelletier/go-toml":                  {"protocol/settings"},
		"html/template":                                 {"protocol/pages", "node/web", "replication/console"},
		"golang.org/x/crypto/argon2":                    {"node/desk"},
		"golang.org/x/mod":                              {"replication/record"},
		"github.com/prometheus/":                        {"node/metrics", "replication/metrics"},
		"github.com/pquerna/otp":                        {"replication/console"},
		"github.com/boombuler/barcode":                  {"protocol/invitation", "replication/console"},
		"github.com/alecthomas/kong":                    {"cmd/interlock"},
		"github.com/schollz/progressbar":                {"cmd/interlock"},
		"github.com/chromedp/":                          {"testnet/browser"},
		"google.golang.org/protobuf/encoding/protowire": {"protocol/wire"},
	}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, path := range s.imports() {
			for prefix, allowed := range rooms {
				if !strings.HasPrefix(path, prefix) {
					continue
				}
				inRoom := false
				for _, dir := range allowed {
					inRoom = inRoom || s.dir == dir
				}
				if !inRoom {
					t.Errorf("%s imports %s, which belongs to %v", s.path, path, allowed)
				}
			}
		}
	}
}

func TestProductionCodeDoesNotImportTesting(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.dir == "testnet/browser" {
			continue
		}
		for _, path := range s.imports() {
			if path == "testing" {
				t.Errorf("%s imports testing", s.path)
			}
		}
	}
}

func TestEveryPackageSaysWhatItPromises(t *testing.T) {
	said, seen := map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		seen[s.dir] = true
		if doc := s.file.Doc.Text(); strings.HasPrefix(doc, "Package ") || strings.HasPrefix(doc, "Command ") {
			said[s.dir] = true
		}
	}
	for dir := range seen {
		if !said[dir] {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

func TestNoPackageIsNamedForWhatItIsNot(t *testing.T) {
	for _, s := range sources(t) {
		for _, name := range []string{"util", "utils", "common", "types", "models", "helpers", "misc", "manager", "service"} {
			if s.file.Name.Name == name {
				t.Errorf("%s: package %s says nothing", s.path, name)
			}
		}
	}
}

// TestNobodySleeps: waiting is for a condition, never for a time.
func TestNobodySleeps(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && call.Sel.Name == "Sleep" {
				if pkg, ok := call.X.(*ast.Ident); ok && pkg.Name == "time" {
					t.Errorf("%s sleeps", s.path)
				}
			}
			return true
		})
	}
}
