// Package vault keeps what is secret: it seals bytes to a recipient, keeps a node's keys in a
// file that a passphrase or a key file opens, and signs.
//
// Everything sealed is an age file (age-encryption.org/v1) to one hybrid post-quantum recipient
// (ML-KEM-768 with X25519, "age1pq1…") or under one passphrase (scrypt), so the stock age program
// opens it when this one cannot be had. This is the only package that imports age.
//
// Which call to use:
//   - [Recipient.Seal] and [Identity.Open] for a share or a message to one member or server;
//   - [WriteSealed] and [ReadSealed] for a secret file, with a [Lock] from [Passphrase] or [KeyFile];
//   - [GenerateKeys], [Keys.Save] and [LoadKeys] for everything secret that a node, a registry
//     server or an operator is;
//   - [Sign] and [Verify] for anything signed outside libp2p's own handshakes.
//
// What it does not promise. Sealing does not authenticate the sender: anybody who knows a recipient
// can seal to it, so what is opened must be signed where its author matters. The length of what is
// sealed can be seen. Go may move and copy memory, and age keeps keys in strings, so Destroy clears
// what can be reached and no more.
package vault

import (
	"errors"
	"fmt"
	"log/slog"
)

var (
	// ErrWrongKey says that the passphrase, key file or identity is not the one this was sealed
	// for. Damage that falls exactly on the sealed file key looks the same: without the right key
	// the two cannot be told apart.
	ErrWrongKey = errors.New("the passphrase or key is not the one this was sealed for")
	// ErrDamaged says that the bytes are not a whole, unaltered sealed file.
	ErrDamaged = errors.New("damaged or not a sealed file")
	// ErrTooLarge says that the sealed bytes, or what they hold, exceed the caller's limit.
	ErrTooLarge = errors.New("larger than allowed")
	// ErrDestroyed says that the secret was used after Destroy.
	ErrDestroyed = errors.New("key was destroyed")
	// ErrMalformed says that a text or a key record is not in its one canonical form.
	ErrMalformed = errors.New("not in canonical form")
	// ErrExposed says that a key file can be read by somebody other than its owner.
	ErrExposed = errors.New("key file is open to others")
)

// redacted is printed wherever a secret would be.
const redacted = "[secret]"

// redact writes the placeholder for every formatting verb.
func redact(f fmt.State) { fmt.Fprint(f, redacted) }

// hidden is the value a structured log gets in place of a secret.
func hidden() slog.Value { return slog.StringValue(redacted) }
