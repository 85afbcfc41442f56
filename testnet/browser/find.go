package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

var errNoBrowser = errors.New("install it (on Debian: apt-get install chromium) and run the tests again")

// find returns the path of a Chromium. Where none is installed and this is a
// Debian that the tests may change, it installs one.
func find(ctx context.Context) (string, error) {
	if path, ok := installed(); ok {
		return path, nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return "", errNoBrowser
	}
	if err := install(ctx, apt); err != nil {
		return "", fmt.Errorf("%w; installing it here failed: %w", errNoBrowser, err)
	}
	return exec.LookPath("chromium")
}

func installed() (path string, ok bool) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// install waits for its turn: packages whose tests run at once may all find
// that there is no browser, and the first of them installs it for all.
func install(ctx context.Context, apt string) (err error) {
	turn, err := os.OpenFile(filepath.Join(os.TempDir(), "interlock-browser.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, turn.Close()) }() // gives the lock back
	if err := syscall.Flock(int(turn.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if _, ok := installed(); ok {
		return nil
	}
	for _, arguments := range [][]string{
		{"-q", "-o", "DPkg::Lock::Timeout=600", "update"},
		{"-q", "-y", "-o", "DPkg::Lock::Timeout=600", "install", "--no-install-recommends", "chromium", "fonts-dejavu-core"},
	} {
		command := exec.CommandContext(ctx, apt, arguments...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", command, err, tail(out, 500))
		}
	}
	return nil
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }
