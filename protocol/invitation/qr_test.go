package invitation

import (
	"bytes"
	"errors"
	"image/png"
	"strings"
	"testing"
)

// seen is a PNG image as modules, without the white around them.
func seen(t testing.TB, picture []byte) modules {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	side := img.Bounds().Dx()
	if img.Bounds().Dy() != side || side%pixels != 0 {
		t.Fatalf("an image of %v", img.Bounds())
	}
	all := make(modules, side/pixels)
	for y := range all {
		for x := range all {
			grey, _, _, _ := img.At(x*pixels, y*pixels).RGBA()
			last, _, _, _ := img.At((x+1)*pixels-1, (y+1)*pixels-1).RGBA()
			if grey != last || grey != 0 && grey != 0xffff {
				t.Fatalf("module %d, %d is not of one colour", x, y)
			}
			all[y] = append(all[y], grey == 0)
		}
	}
	return framed(t, all)
}

// framed takes the white around a code off.
func framed(t testing.TB, all modules) modules {
	t.Helper()
	var code modules
	for y, row := range all {
		for x, dark := range row {
			inside := min(x, y) >= quiet && max(x, y) < len(all)-quiet
			if !inside && dark {
				t.Fatalf("module %d, %d of the quiet zone is dark", x, y)
			}
		}
		if y >= quiet && y < len(all)-quiet {
			code = append(code, row[quiet:len(all)-quiet])
		}
	}
	return code
}

// printed is what a terminal shows as modules.
func printed(t testing.TB, lines string) modules {
	t.Helper()
	var all modules
	for line := range strings.Lines(lines) {
		var above, below []bool
		for _, r := range strings.TrimSuffix(line, "\n") {
			if !strings.ContainsRune("█▀▄ ", r) {
				t.Fatalf("%q is printed", r)
			}
			above = append(above, r == '▄' || r == ' ')
			below = append(below, r == '▀' || r == ' ')
		}
		all = append(all, above, below)
	}
	// The rows of a code are odd in number: the last line has one row only.
	if len(all) != len(all[0])+1 {
		t.Fatalf("%d rows of %d modules", len(all), len(all[0]))
	}
	return framed(t, all[:len(all)-1])
}

func TestAQRCodeIsReadBack(t *testing.T) {
	for name, want := range map[string]string{
		"one character":     "A",
		"two":               "1-",
		"every character":   characters,
		"one server":        text(t, invite(t, network(1))),
		"three servers":     text(t, invite(t, network(3))),
		"five servers":      text(t, invite(t, network(5))),
		"version 6":         strings.Repeat("VERSION6:", 17),
		"version 9":         strings.Repeat("V", 260),
		"version 10":        strings.Repeat("V", 263),
		"version 26":        strings.Repeat("Z", 1_542),
		"the most at M":     strings.Repeat("7", 3_391),
		"the most there is": strings.Repeat("+", MaxQR),
	} {
		t.Run(name, func(t *testing.T) {
			picture, err := QR(want)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := Terminal(want)
			if err != nil {
				t.Fatal(err)
			}
			for where, m := range map[string]modules{"image": seen(t, picture), "terminal": printed(t, lines)} {
				got, err := readQR(m)
				if err != nil {
					t.Fatalf("%s, version %d: %v", where, m.version(), err)
				}
				if got != want {
					t.Errorf("%s, version %d: read %q, want %q", where, m.version(), got, want)
				}
			}
		})
	}
}

func TestHowLargeAnInvitationIsAsAQRCode(t *testing.T) {
	for servers, want := range map[int]struct {
		version int
		low     bool
	}{1: {11, false}, 3: {15, false}, 31: {38, false}} {
		written := text(t, invite(t, network(servers)))
		picture, err := QR(written)
		if err != nil {
			t.Fatal(err)
		}
		m := seen(t, picture)
		if got, err := readQR(m); err != nil || got != written {
			t.Errorf("%d servers: read %q, %v", servers, got, err)
		}
		low, _, err := m.format()
		if err != nil {
			t.Fatal(err)
		}
		if m.version() != want.version || low != want.low {
			t.Errorf("%d servers: version %d, low %t, want %d, %t", servers, m.version(), low, want.version, want.low)
		}
	}
}

func TestADamagedQRCodeIsSeenByTheReader(t *testing.T) {
	picture, err := QR(text(t, invite(t, network(3))))
	if err != nil {
		t.Fatal(err)
	}
	m := seen(t, picture)
	m[len(m)-1][len(m)-1] = !m[len(m)-1][len(m)-1]
	if _, err := readQR(m); err == nil {
		t.Error("a module was changed and nothing was seen: the other tests show nothing")
	}
}

func TestWhatDoesNotFitAQRCodeIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"nothing":            {"", ErrQRCharacters},
		"a small letter":     {"INVITATIOn", ErrQRCharacters},
		"a letter inside":    {"AéA", ErrQRCharacters},
		"a line break":       {"A\nB", ErrQRCharacters},
		"one more than fits": {strings.Repeat("A", MaxQR+1), ErrQRLength},
		"much more":          {strings.Repeat("A", 1<<20), ErrQRLength},
	} {
		if b, err := QR(tt.text); !errors.Is(err, tt.want) || b != nil {
			t.Errorf("%s: QR = %v, want %v", name, err, tt.want)
		}
		if s, err := Terminal(tt.text); !errors.Is(err, tt.want) || s != "" {
			t.Errorf("%s: Terminal = %v, want %v", name, err, tt.want)
		}
	}
}
