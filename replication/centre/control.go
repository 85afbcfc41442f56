package centre

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// controlFile is the socket in a running server's folder, through which the
// account that runs the server asks it for its backup. Unix limits its whole
// path to about a hundred bytes.
const controlFile = "control.sock"

// ErrNotRunning says that no server answers in a folder.
var ErrNotRunning = errors.New("no server answers in this folder")

// backupPatience is how long a server may take for its backup.
const backupPatience = 2 * time.Minute

// ServeControl answers this machine until the result is closed. A socket that
// a killed server left behind is removed: the folder is this server's alone.
func (s *Server) ServeControl() (io.Closer, error) {
	path := s.config.path(controlFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("restrict control socket: %w", err), l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /backup", s.serveBackup)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("control socket ended", "server", s.Index(), "cause", err)
		}
	}()
	return server, nil
}

// serveBackup sends the archive, unsealed but for what is sealed in it, to the
// account that has the same files anyhow.
func (s *Server) serveBackup(w http.ResponseWriter, r *http.Request) {
	b, err := s.Backup(r.Context())
	var raw []byte
	if err == nil {
		raw, err = b.encode()
		defer clear(raw)
	}
	if err != nil {
		s.log.Error("backup was not taken", "server", s.Index(), "cause", err)
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	if _, err := w.Write(raw); err != nil {
		s.log.Warn("backup was not fetched", "server", s.Index(), "cause", err)
		return
	}
	s.log.Info("backup taken", "server", s.Index(), "version", b.Version)
}

// askBackup asks the server that runs in a folder. ErrNotRunning where none does.
func askBackup(ctx context.Context, c Config) (b *Backup, err error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", c.path(controlFile))
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: backupPatience}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://registry/backup", nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if refused := new(net.OpError); errors.As(err, &refused) && refused.Op == "dial" {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxBackup+1))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(strings.TrimSpace(string(raw[:min(len(raw), 4<<10)])))
	}
	return parseBackup(raw)
}
