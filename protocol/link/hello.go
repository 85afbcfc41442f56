package link

import (
	"fmt"
	"io"
	"time"

	"interlock/protocol/wire"
)

// A stream begins with multistream-select 1.0.0 as libp2p specifies it, in one
// round trip: the opener sends the version and the one protocol it wants, the
// other side repeats both or resets the stream with a code. It repeats them
// only once it has found the peer's role, right and share good, so that an
// opened stream is a served stream, and a stranger does not get a byte.
//
// go-multistream answers the version before it knows anything, and its lazy
// form reports a refusal at the first read only; so these lines are ours.

const (
	helloVersion = "/multistream/1.0.0"
	// helloWait is how long either side waits for the other's part.
	helloWait = 10 * time.Second
	// maxToken keeps the length of a token, with its newline, to one byte.
	maxToken = 127
)

// hello is what both sides send for the protocol id.
func hello(id string) []byte {
	return appendToken(appendToken(nil, helloVersion), id)
}

func appendToken(b []byte, token string) []byte {
	b = append(b, byte(len(token)+1))
	b = append(b, token...)
	return append(b, '\n')
}

// hear reads the other side's hello and returns the protocol in it. What is no
// hello wraps wire.ErrNotCanonical.
func hear(r io.Reader) (string, error) {
	version, err := readToken(r)
	if err == nil && version != helloVersion {
		err = fmt.Errorf("%w: hello of another version", wire.ErrNotCanonical)
	}
	if err != nil {
		return "", err
	}
	return readToken(r)
}

func readToken(r io.Reader) (string, error) {
	var b [maxToken]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return "", fmt.Errorf("read hello: %w", err)
	}
	token := b[:b[0]&0x7f]
	if len(token) == 0 || b[0] > maxToken {
		return "", fmt.Errorf("%w: token of a hello too long or empty", wire.ErrNotCanonical)
	}
	if _, err := io.ReadFull(r, token); err != nil {
		return "", fmt.Errorf("read hello: %w", err)
	}
	text, ok := cutNewline(token)
	if !ok {
		return "", fmt.Errorf("%w: token of a hello without its newline", wire.ErrNotCanonical)
	}
	return text, nil
}

func cutNewline(token []byte) (string, bool) {
	last := len(token) - 1
	return string(token[:last]), token[last] == '\n'
}
