package vault

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

const (
	// MaxRecipients bounds to how many a stream is sealed.
	MaxRecipients = 16
	// streamHeaderLimit bounds the header of a stream, so that none makes whoever opens it try
	// hundreds of stanzas. A stanza has about 1.7 kB.
	streamHeaderLimit = MaxRecipients*2<<10 + headerLimit
)

// SealTo returns a writer that seals what is written to it to each of the recipients, any one of
// whom opens it, as a binary age file into w. Without Close the file is not whole, and whoever
// opens it is told so. Close does not close w.
func SealTo(w io.Writer, recipients ...Recipient) (io.WriteCloser, error) {
	if n := len(recipients); n < 1 || n > MaxRecipients {
		return nil, fmt.Errorf("seal stream: %d recipients, want 1 to %d", n, MaxRecipients)
	}
	to := make([]age.Recipient, len(recipients))
	for i, r := range recipients {
		h, err := age.ParseHybridRecipient(r.text)
		if err != nil {
			return nil, fmt.Errorf("seal stream: recipient %d: %w", i+1, ErrMalformed)
		}
		to[i] = h
	}
	sealed, err := age.Encrypt(w, to...)
	if err != nil {
		return nil, fmt.Errorf("seal stream: %w", err)
	}
	return sealed, nil
}

// OpenFrom returns a reader of what [SealTo] sealed to the lock's key into r. The caller bounds how
// much it reads. What was cut short or altered is [ErrDamaged], also while it is read: nothing is
// to be believed before the reader has come to its end.
func OpenFrom(r io.Reader, l Lock) (io.Reader, error) {
	with, err := l.opener()
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	buffered := bufio.NewReaderSize(r, streamHeaderLimit)
	head, err := buffered.Peek(streamHeaderLimit)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	if !bytes.Contains(head, []byte("\n--- ")) {
		return nil, fmt.Errorf("open stream: %w: no end of its header in %d bytes", ErrDamaged, streamHeaderLimit)
	}
	plain, err := age.Decrypt(buffered, with)
	if noMatch := new(age.NoIdentityMatchError); errors.As(err, &noMatch) {
		return nil, wrongKey(noMatch.StanzaTypes, with)
	}
	if err != nil {
		return nil, fmt.Errorf("open stream: %w: %w", ErrDamaged, err)
	}
	return &openedStream{plain}, nil
}

// openedStream says of what age finds wrong that the file is damaged.
type openedStream struct{ plain io.Reader }

func (s *openedStream) Read(b []byte) (int, error) {
	n, err := s.plain.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("open stream: %w: %w", ErrDamaged, err)
	}
	return n, err
}
