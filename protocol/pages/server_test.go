package pages

import (
	"net"
	"testing"
	"testing/synctest"
)

// crowd is a listener at which somebody always waits.
type crowd struct{ net.Listener }

func (c *crowd) Accept() (net.Conn, error) {
	near, _ := net.Pipe()
	return near, nil
}

func TestNoMoreConnectionsAreAcceptedThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Limit(&crowd{})
		accepted := make(chan net.Conn, 2*maxConnections)
		go func() {
			for range maxConnections + 1 {
				c, err := l.Accept()
				if err != nil {
					t.Errorf("accept: %v", err)
				}
				accepted <- c
			}
		}()
		synctest.Wait()
		if got := len(accepted); got != maxConnections {
			t.Errorf("%d connections are open, want %d", got, maxConnections)
		}
		if err := (<-accepted).Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := len(accepted); got != maxConnections {
			t.Errorf("after one closed %d are open, want the next in its place", got)
		}
	})
}
