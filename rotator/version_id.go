package rotator

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ownVersion is the beginning of the id of every secret version that the rotator
// writes, so that an operator who lists the versions can recognize them.
const ownVersion = "rotator-"

// isOwn reports whether the rotator wrote the version with this id.
func isOwn(version string) bool { return strings.HasPrefix(version, ownVersion) }

// isOperators reports whether an operator wrote the version with this id. It is false
// for an empty id.
func isOperators(version string) bool { return version != "" && !isOwn(version) }

// ownBefore reports whether the rotator chose this version id before t, or in the same
// second.
func ownBefore(versionID string, t time.Time) bool {
	rest, own := strings.CutPrefix(versionID, ownVersion)
	seconds, _, _ := strings.Cut(rest, "-")
	chosen, err := strconv.ParseInt(seconds, 10, 64)
	return own && err == nil && chosen <= t.Unix()
}

// newVersionID returns an id for a version. It is chosen before the write, so that
// Secrets Manager recognizes a repeated write. It contains the time, because the
// version's own date is late if the write takes effect late. Secrets Manager requires
// 32 to 64 characters.
func newVersionID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return fmt.Sprintf("%s%d-%x", ownVersion, time.Now().Unix(), id)
}
