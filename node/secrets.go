package node

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"interlock/crypto/token"
	"interlock/node/store"
	"interlock/protocol/directory"
)

// metaSecrets holds the federation secret of each key epoch: four bytes of
// epoch, most significant first, then the secret; ascending.
const metaSecrets = "federation secrets"

const secretRecord = 4 + len(token.Secret{})

// offer holds secrets that a registry server has sent until the directory says
// whether they are right.
func (n *Node) offer(secrets map[token.Epoch]token.Secret) {
	n.offering.Lock()
	defer n.offering.Unlock()
	n.offered = secrets
}

// takeSecrets keeps the offered secrets that d commits to. What is missing is
// asked for. Those of epochs that are no more stay until dropSecrets.
func (n *Node) takeSecrets(d *directory.Directory) error {
	n.offering.Lock()
	defer n.offering.Unlock()
	held := n.heldSecrets()
	next := maps.Clone(held)
	if next == nil {
		next = map[token.Epoch]token.Secret{}
	}
	missing := false
	for _, k := range d.Epochs {
		delete(next, k.Epoch)
		for _, known := range []map[token.Epoch]token.Secret{held, n.offered} {
			if secret, ok := known[k.Epoch]; ok && secret.Commit() == k.Federation {
				next[k.Epoch] = secret
			}
		}
		_, ok := next[k.Epoch]
		missing = missing || !ok
	}
	if missing {
		poke(n.asking)
	}
	return n.keepSecrets(held, next)
}

// dropSecrets lets go of the secrets of epochs that are no more, once no token
// of ours is left that was made with them: until then they open our own entries.
func (n *Node) dropSecrets() error {
	n.offering.Lock()
	defer n.offering.Unlock()
	var e store.Epochs
	err := n.store.View(func(tx *store.Tx) (err error) {
		e, err = tx.Epochs()
		return err
	})
	if err != nil || len(e.Match) == 0 || e.Done < e.Until {
		return err
	}
	held := n.heldSecrets()
	next := maps.Clone(held)
	maps.DeleteFunc(next, func(of token.Epoch, _ token.Secret) bool { return of < e.Match[0] })
	return n.keepSecrets(held, next)
}

// keepSecrets makes next the secrets that are held, on the disk first. The
// caller holds offering.
func (n *Node) keepSecrets(held, next map[token.Epoch]token.Secret) error {
	if maps.Equal(held, next) {
		return nil
	}
	if err := n.store.Update(func(tx *store.Tx) error { return writeSecrets(tx, next) }); err != nil {
		return fmt.Errorf("keep federation secrets: %w", err)
	}
	n.flow.secrets.Store(&next)
	poke(n.flow.waiting)
	return nil
}

func (n *Node) heldSecrets() map[token.Epoch]token.Secret {
	if held := n.flow.secrets.Load(); held != nil {
		return *held
	}
	return nil
}

// lacksSecret reports whether the directory names an epoch whose secret is not
// held here.
func (n *Node) lacksSecret() bool {
	d := n.roster.Directory()
	return d != nil && slices.ContainsFunc(d.Epochs, func(k directory.KeyEpoch) bool {
		_, ok := n.flow.secret(k.Epoch)
		return !ok
	})
}

func writeSecrets(tx *store.Tx, secrets map[token.Epoch]token.Secret) error {
	b := make([]byte, 0, len(secrets)*secretRecord)
	defer func() { clear(b) }()
	for _, e := range slices.Sorted(maps.Keys(secrets)) {
		secret := secrets[e]
		b = append(binary.BigEndian.AppendUint32(b, uint32(e)), secret[:]...)
	}
	return tx.PutMeta(metaSecrets, b)
}

func readSecrets(tx *store.Tx) (map[token.Epoch]token.Secret, error) {
	b, err := tx.Meta(metaSecrets)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	if len(b)%secretRecord != 0 {
		return nil, fmt.Errorf("stored federation secrets of %d bytes", len(b))
	}
	secrets := make(map[token.Epoch]token.Secret)
	for at := 0; at < len(b); at += secretRecord {
		secrets[token.Epoch(binary.BigEndian.Uint32(b[at:]))] = token.Secret(b[at+4 : at+secretRecord])
	}
	return secrets, nil
}
