package probes

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"interlock/testnet"
)

// startRedis starts a Redis that reads what lies in dir and writes nothing, and
// returns its address on this machine. It ends with the test, however that ends:
// the shell that starts it waits for its own input to be closed.
func startRedis(t testing.TB, dir string) (address string) {
	t.Helper()
	var ports testnet.Ports
	free, err := ports.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `"$@" & read -r line; kill -9 $!; wait`, "sh",
		redisIn(t, dir), "--bind", "127.0.0.1", "--port", strconv.Itoa(free[0]), "--dir", dir, "--save", "", "--appendonly", "no")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, said := bufio.NewScanner(out), &strings.Builder{}
	t.Cleanup(func() {
		closed := in.Close()
		for lines.Scan() {
			said.WriteString(lines.Text() + "\n")
		}
		if err := errors.Join(closed, cmd.Wait()); err != nil {
			t.Errorf("%v: redis said:\n%s", err, said)
		}
	})
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			return fmt.Sprintf("127.0.0.1:%d", free[0])
		}
	}
	t.Fatalf("redis does not start:\n%s", said)
	return ""
}

// redisIn returns a path in dir under which Redis is called by its name.
func redisIn(t testing.TB, dir string) string {
	t.Helper()
	path, err := findRedis(t)
	if err != nil {
		t.Fatal(err)
	}
	named := filepath.Join(dir, "redis-server")
	if err := os.Symlink(path, named); err != nil {
		t.Fatal(err)
	}
	return named
}

var errNoRedis = errors.New("there is no redis-server: install it (on Debian: apt-get install redis-server) and run this again")

// findRedis returns the path of Redis. Where none is installed and this is a
// Debian that may be changed, it installs one: from the package of the tools,
// which brings the same program and starts no service. There it is named for
// another of its uses, and serves when it is called by the other name.
func findRedis(t testing.TB) (string, error) {
	t.Helper()
	if path, ok := installed(); ok {
		return path, nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return "", errNoRedis
	}
	for _, arguments := range [][]string{
		{"-q", "-o", "DPkg::Lock::Timeout=600", "update"},
		{"-q", "-y", "-o", "DPkg::Lock::Timeout=600", "install", "--no-install-recommends", "redis-tools"},
	} {
		command := exec.CommandContext(t.Context(), apt, arguments...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := command.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w; installing it here failed: %w: %s", errNoRedis, err, out)
		}
	}
	if path, ok := installed(); ok {
		return path, nil
	}
	return "", errNoRedis
}

func installed() (path string, ok bool) {
	for _, name := range []string{"redis-server", "redis-check-rdb"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}
