package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Place is a network namespace with one address.
type Place struct {
	Address   netip.Addr
	namespace *os.File
}

// Join makes a place and puts it on the network. All addresses of a network are
// IPv4 and of one /24. Errors: ErrUnavailable.
func (n *Network) Join(address netip.Addr) (*Place, error) {
	p := &Place{Address: address}
	var tunnel *os.File
	err := elsewhere(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, func() (err error) {
		if p.namespace, err = os.Open(ownNamespace); err != nil {
			return err
		}
		if tunnel, err = openTunnel(address); err != nil {
			return errors.Join(err, p.namespace.Close())
		}
		return nil
	})
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL) {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err != nil {
		return nil, err
	}
	if err := n.add(address, tunnel); err != nil {
		return nil, errors.Join(err, p.namespace.Close())
	}
	return p, nil
}

// Start starts a command in the place. It dies with this process.
func (p *Place) Start(c *exec.Cmd) error {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return p.Inside(c.Start)
}

// Inside calls do on a thread that is in the place: a socket that it opens is
// the place's.
func (p *Place) Inside(do func() error) error {
	return elsewhere(func() error { return unix.Setns(int(p.namespace.Fd()), unix.CLONE_NEWNET) }, do)
}

// Close lets the namespace go; it ends with the last process in it.
func (p *Place) Close() error { return p.namespace.Close() }

// ownNamespace is that of the calling thread.
const ownNamespace = "/proc/thread-self/ns/net"

// elsewhere calls do on a thread that leave has taken to another namespace, and
// brings the thread back. One that cannot be brought back ends with its
// goroutine.
func elsewhere(leave, do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open(ownNamespace)
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		if err = leave(); err == nil {
			err = do()
		}
		back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET)
		if back == nil {
			runtime.UnlockOSThread()
		} else if err == nil {
			err = fmt.Errorf("return to the own network namespace: %w", back)
		}
		done <- errors.Join(err, home.Close())
	}()
	return <-done
}

// openTunnel makes the calling thread's namespace ready: its loopback is up, and
// a tunnel with the address leads everywhere else in its /24.
func openTunnel(address netip.Addr) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	if err := configure(fd, "net0", address); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "tunnel of "+address.String()), nil
}

func configure(tunnel int, name string, address netip.Addr) error {
	device, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	// Packets alone: no header before them, and checksums are complete.
	device.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(tunnel, unix.TUNSETIFF, device); err != nil {
		return fmt.Errorf("make a tunnel: %w", err)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	err = errors.Join(
		assign(socket, name, unix.SIOCSIFADDR, address.AsSlice()),
		assign(socket, name, unix.SIOCSIFNETMASK, []byte{255, 255, 255, 0}),
		up(socket, name), up(socket, "lo"),
	)
	return errors.Join(err, unix.Close(socket))
}

func assign(socket int, name string, request uint, value []byte) error {
	device, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := device.SetInet4Addr(value); err != nil {
		return err
	}
	if err := unix.IoctlIfreq(socket, request, device); err != nil {
		return fmt.Errorf("give %s an address: %w", name, err)
	}
	return nil
}

func up(socket int, name string) error {
	device, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	device.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, device); err != nil {
		return fmt.Errorf("bring %s up: %w", name, err)
	}
	return nil
}
