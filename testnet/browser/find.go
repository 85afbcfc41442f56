package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

var errNoBrowser = errors.New("install it (on Debian: apt-get install chromium) and run the tests again")

// find returns the path of a Chromium. Where none is installed and this is a
// Debian that the tests may change, it installs one.
func find(ctx context.Context) (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
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

// install waits for its turn: packages whose tests run at once may all find
// that there is no browser.
func install(ctx context.Context, apt string) error {
	for _, arguments := range [][]string{
		{"-q", "-o", "DPkg::Lock::Timeout=600", "update"},
		{"-q", "-y", "-o", "DPkg::Lock::Timeout=600", "install", "--no-install-recommends", "chromium"},
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
