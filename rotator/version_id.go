package rotator

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ownVersion begins the id of every secret version that the rotator writes, so
// that an operator who lists the versions sees who wrote which.
const ownVersion = "rotator-"

// ownBefore reports whether the rotator chose to write a version before t, or in
// the same second.
func ownBefore(versionID string, t time.Time) bool {
	rest, own := strings.CutPrefix(versionID, ownVersion)
	seconds, _, _ := strings.Cut(rest, "-")
	chosen, err := strconv.ParseInt(seconds, 10, 64)
	return own && err == nil && chosen <= t.Unix()
}

// newVersionID is chosen before the write, so that a repeated write is the same
// write. It says when, since a write may come late and the version's own date
// with it. Secrets Manager wants 32 to 64 characters.
func newVersionID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return fmt.Sprintf("%s%d-%x", ownVersion, time.Now().Unix(), id)
}
