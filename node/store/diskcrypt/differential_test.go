package diskcrypt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// twin is one file that is open on the bare file system and on the encrypted one.
type twin struct{ bare, crypt vfs.File }

// twins does everything on both and compares what comes back.
type twins struct {
	bare, crypt         vfs.FS
	bareRoot, cryptRoot string
	open                []twin
}

// outcome is what an operation gave, in a form to compare.
type outcome struct {
	Err  string
	N    int64
	Data string
	List []string
}

func class(err error) string {
	switch {
	case err == nil:
		return ""
	case err == io.EOF:
		return "end of file"
	case oserror.IsNotExist(err):
		return "not there"
	case oserror.IsExist(err):
		return "there already"
	}
	return "other"
}

func (w *twins) same(t *rapid.T, what string, do func(fs vfs.FS, root string) outcome) outcome {
	bare, crypt := do(w.bare, w.bareRoot), do(w.crypt, w.cryptRoot)
	if diff := cmp.Diff(bare, crypt); diff != "" {
		t.Fatalf("%s (-bare +encrypted):\n%s", what, diff)
	}
	return bare
}

// opens opens on both and keeps the twin if both opened.
func (w *twins) opens(t *rapid.T, what string, do func(fs vfs.FS, root string) (vfs.File, error)) {
	bare, bareErr := do(w.bare, w.bareRoot)
	crypt, cryptErr := do(w.crypt, w.cryptRoot)
	if class(bareErr) != class(cryptErr) {
		t.Fatalf("%s: bare %v, encrypted %v", what, bareErr, cryptErr)
	}
	if bareErr == nil {
		w.open = append(w.open, twin{bare, crypt})
	}
}

func (w *twins) on(t *rapid.T, what string, do func(f vfs.File) outcome) {
	if len(w.open) == 0 {
		return
	}
	f := w.open[rapid.IntRange(0, len(w.open)-1).Draw(t, "file")]
	bare, crypt := do(f.bare), do(f.crypt)
	if diff := cmp.Diff(bare, crypt); diff != "" {
		t.Fatalf("%s (-bare +encrypted):\n%s", what, diff)
	}
}

func (w *twins) closeAll() {
	for _, f := range w.open {
		f.bare.Close()
		f.crypt.Close()
	}
	w.open = nil
}

func drawName(t *rapid.T, label string) string {
	return rapid.SampledFrom([]string{"a", "b", "c", "dir", "dir/a", "dir/b", "none/a"}).Draw(t, label)
}

func statOutcome(info vfs.FileInfo, err error) outcome {
	if err != nil {
		return outcome{Err: class(err)}
	}
	if info.IsDir() {
		return outcome{Data: "dir"}
	}
	return outcome{N: info.Size(), Data: info.Name()}
}

// namespace is the actions on names.
func (w *twins) namespace() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"create": func(t *rapid.T) {
			name := drawName(t, "name")
			if name == "dir" {
				return // the in-memory file system lets a file take a folder's place, the disk does not
			}
			w.opens(t, "create "+name, func(fs vfs.FS, root string) (vfs.File, error) {
				return fs.Create(fs.PathJoin(root, name), vfs.WriteCategoryUnspecified)
			})
		},
		"open": func(t *rapid.T) {
			name := drawName(t, "name")
			w.opens(t, "open "+name, func(fs vfs.FS, root string) (vfs.File, error) {
				return fs.Open(fs.PathJoin(root, name), vfs.RandomReadsOption)
			})
		},
		"reuse": func(t *rapid.T) {
			from, to := drawName(t, "from"), drawName(t, "to")
			if from == to || from == "dir" || to == "dir" {
				return
			}
			w.opens(t, "reuse "+from+" as "+to, func(fs vfs.FS, root string) (vfs.File, error) {
				if fs == w.crypt {
					return fs.ReuseForWrite(fs.PathJoin(root, from), fs.PathJoin(root, to), vfs.WriteCategoryUnspecified)
				}
				// What vfs.FS allows in place of reusing.
				if err := fs.Remove(fs.PathJoin(root, from)); err != nil {
					return nil, err
				}
				return fs.Create(fs.PathJoin(root, to), vfs.WriteCategoryUnspecified)
			})
		},
		"rename": func(t *rapid.T) {
			from, to := drawName(t, "from"), drawName(t, "to")
			if from == "dir" || to == "dir" {
				return
			}
			w.same(t, "rename", func(fs vfs.FS, root string) outcome {
				return outcome{Err: class(fs.Rename(fs.PathJoin(root, from), fs.PathJoin(root, to)))}
			})
		},
		"link": func(t *rapid.T) {
			from, to := drawName(t, "from"), drawName(t, "to")
			if from == "dir" || to == "dir" {
				return
			}
			w.same(t, "link", func(fs vfs.FS, root string) outcome {
				return outcome{Err: class(fs.Link(fs.PathJoin(root, from), fs.PathJoin(root, to)))}
			})
		},
		"remove": func(t *rapid.T) {
			name := drawName(t, "name")
			w.same(t, "remove", func(fs vfs.FS, root string) outcome {
				return outcome{Err: class(fs.Remove(fs.PathJoin(root, name)))}
			})
		},
		"remove all": func(t *rapid.T) {
			w.same(t, "remove all", func(fs vfs.FS, root string) outcome {
				return outcome{Err: class(fs.RemoveAll(fs.PathJoin(root, "dir")))}
			})
		},
		"make dir": func(t *rapid.T) {
			w.same(t, "make dir", func(fs vfs.FS, root string) outcome {
				return outcome{Err: class(fs.MkdirAll(fs.PathJoin(root, "dir"), 0o755))}
			})
		},
		"stat": func(t *rapid.T) {
			name := drawName(t, "name")
			w.same(t, "stat", func(fs vfs.FS, root string) outcome {
				return statOutcome(fs.Stat(fs.PathJoin(root, name)))
			})
		},
		"sync dirs": func(t *rapid.T) {
			w.same(t, "sync dirs", func(fs vfs.FS, root string) (out outcome) {
				for _, name := range []string{root, fs.PathJoin(root, "dir")} {
					d, err := fs.OpenDir(name)
					if err != nil {
						out.Err += class(err)
						continue
					}
					out.Err += class(errors.Join(d.Sync(), d.Close()))
				}
				return out
			})
		},
	}
}

// content is the actions on open files.
func (w *twins) content() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"write": func(t *rapid.T) {
			data := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "data")
			data = bytes.Repeat(data, rapid.IntRange(1, 200).Draw(t, "times"))
			w.on(t, "write", func(f vfs.File) outcome {
				n, err := f.Write(bytes.Clone(data))
				return outcome{Err: class(err), N: int64(n)}
			})
		},
		"read": func(t *rapid.T) {
			size := rapid.IntRange(1, 20_000).Draw(t, "size")
			w.on(t, "read", func(f vfs.File) outcome {
				p := make([]byte, size)
				n, err := f.Read(p)
				return outcome{Err: class(err), N: int64(n), Data: string(p[:n])}
			})
		},
		"read at": func(t *rapid.T) {
			size, offset := rapid.IntRange(1, 20_000).Draw(t, "size"), rapid.Int64Range(-1, 20_000).Draw(t, "offset")
			w.on(t, "read at", func(f vfs.File) outcome {
				if offset < 0 && isMem(f) {
					return outcome{Err: "other"} // the in-memory file system panics
				}
				p := make([]byte, size)
				n, err := f.ReadAt(p, offset)
				return outcome{Err: class(err), N: int64(n), Data: string(p[:n])}
			})
		},
		"stat file": func(t *rapid.T) {
			w.on(t, "stat file", func(f vfs.File) outcome {
				out := statOutcome(f.Stat())
				out.Data = "" // the name under which it was opened
				return out
			})
		},
		"sync": func(t *rapid.T) {
			which := rapid.IntRange(0, 2).Draw(t, "how")
			w.on(t, "sync", func(f vfs.File) outcome {
				switch which {
				case 0:
					return outcome{Err: class(f.Sync())}
				case 1:
					return outcome{Err: class(f.SyncData())}
				}
				_, err := f.SyncTo(1)
				return outcome{Err: class(err)}
			})
		},
		"advise": func(t *rapid.T) {
			w.on(t, "advise", func(f vfs.File) outcome {
				return outcome{Err: class(errors.Join(f.Preallocate(0, 4096), f.Prefetch(0, 4096)))}
			})
		},
	}
}

func isMem(f vfs.File) bool { return f.Fd() == vfs.InvalidFd }

// check lists every folder and reads every file by name.
func (w *twins) check(t *rapid.T) {
	for _, dir := range []string{"", "dir"} {
		listed := w.same(t, "list", func(fs vfs.FS, root string) outcome {
			names, err := fs.List(fs.PathJoin(root, dir))
			slices.Sort(names)
			return outcome{Err: class(err), List: slices.Clip(append([]string{}, names...))}
		})
		for _, name := range listed.List {
			if name == "dir" {
				continue
			}
			w.same(t, "content of "+name, func(fs vfs.FS, root string) outcome {
				f, err := fs.Open(fs.PathJoin(root, dir, name), vfs.SequentialReadsOption)
				if err != nil {
					return outcome{Err: class(err)}
				}
				data, err := io.ReadAll(f)
				return outcome{Err: class(errors.Join(err, f.Close())), Data: string(data)}
			})
		}
	}
}

func (w *twins) actions(more map[string]func(*rapid.T)) map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){"": w.check}
	for _, m := range []map[string]func(*rapid.T){w.namespace(), w.content(), more} {
		for name, do := range m {
			all[name] = do
		}
	}
	return all
}

func TestItBehavesAsTheFileSystemBelowInMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bare, below := vfs.NewCrashableMem(), vfs.NewCrashableMem()
		w := &twins{bare: bare, crypt: New(below, countingKey()), bareRoot: "/", cryptRoot: "/"}
		t.Repeat(w.actions(map[string]func(*rapid.T){
			// A crash that loses everything that was not synced.
			"crash": func(t *rapid.T) {
				w.open = nil
				bare, below = bare.CrashClone(vfs.CrashCloneCfg{}), below.CrashClone(vfs.CrashCloneCfg{})
				w.bare, w.crypt = bare, New(below, countingKey())
			},
		}))
	})
}

func TestItBehavesAsTheFileSystemBelowOnDisk(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		w := &twins{bare: vfs.Default, crypt: New(vfs.Default, countingKey()),
			bareRoot: filepath.Join(dir, fmt.Sprint(n), "bare"), cryptRoot: filepath.Join(dir, fmt.Sprint(n), "crypt")}
		defer w.closeAll()
		for _, root := range []string{w.bareRoot, w.cryptRoot} {
			if err := os.MkdirAll(root, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(w.actions(nil))
	})
}
