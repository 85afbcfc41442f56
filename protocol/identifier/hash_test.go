package identifier

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"testing"
)

func TestHashesOfBlankFilesAreRefused(t *testing.T) {
	blanks := [][]byte{nil, []byte("\n"), []byte("\r\n"), {0}}
	for _, size := range []int{512, 1024, 4096, 32768, 65536} {
		blanks = append(blanks, make([]byte, size))
	}
	for _, gif := range []string{"R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="} {
		pixel, err := base64.StdEncoding.DecodeString(gif)
		if err != nil {
			t.Fatal(err)
		}
		blanks = append(blanks, pixel)
	}
	refused := 0
	for _, blank := range blanks {
		a, b, c := md5.Sum(blank), sha1.Sum(blank), sha256.Sum256(blank)
		for kind, sum := range map[Kind][]byte{MD5: a[:], SHA1: b[:], SHA256: c[:]} {
			if _, err := Parse(kind, hex.EncodeToString(sum), ""); err != RefusedEmptyHash {
				t.Errorf("%v of %d blank bytes: %v", kind, len(blank), err)
			}
			refused++
		}
	}
	if refused != len(blankHashes) {
		t.Errorf("%d hashes are refused as blank and %d of them explained", len(blankHashes), refused)
	}
}
