package rotator

import (
	"context"
	"errors"
	"maps"
)

// This file says which refresh tokens a save replaced, if the state does not say so. It
// compares the version that was saved with the one that its run had read.

// spent returns, by the name of the set that has a new refresh token, the fingerprints of
// the refresh tokens that a save of these credentials replaced. It compares them with
// those of the version from which they were made, in which an operator may have exchanged
// the sets.
func (c Credentials) spent(before map[SetName]string) map[SetName]string {
	gone, changed := maps.Clone(before), map[SetName]bool{}
	for _, set := range c.Sets() {
		fingerprint := set.RefreshToken.Fingerprint()
		changed[set.Name] = fingerprint != before[Primary] && fingerprint != before[Alternate]
		maps.DeleteFunc(gone, func(_ SetName, replaced string) bool { return replaced == "" || replaced == fingerprint })
	}
	spent := map[SetName]string{}
	match := func(set, from SetName) {
		if changed[set] && spent[set] == "" && gone[from] != "" {
			spent[set] = gone[from]
			delete(gone, from)
		}
	}
	for _, set := range c.Sets() {
		match(set.Name, set.Name)
	}
	for _, set := range c.Sets() {
		match(set.Name, set.Name.Other())
	}
	return spent
}

// spentSince returns the refresh tokens of this version that the current one replaced.
func (a *attempt) spentSince(ctx context.Context, versionID string) map[SetName]string {
	used, _ := a.usedBy(ctx, versionID)
	return a.creds.spent(used)
}

// usedBy returns the fingerprints of the refresh tokens that a run uses after it has read
// this version of the credentials, or nil if they are not known. An error means that the
// version could not be read now.
func (a *attempt) usedBy(ctx context.Context, versionID string) (map[SetName]string, error) {
	if versionID == "" {
		return nil, nil
	}
	creds, err := a.readVersion(ctx, versionID)
	switch {
	case errors.Is(err, ErrNotFound) || CodeOf(err) != "":
		return nil, nil
	case err != nil && versionID == a.listed.CredentialsVersion:
		return map[SetName]string{Primary: a.next.Primary.RefreshTokenFingerprint, Alternate: a.next.Alternate.RefreshTokenFingerprint}, nil
	case err != nil:
		return nil, err
	}
	used := map[SetName]string{}
	for _, set := range creds.Sets() {
		used[set.Name] = set.RefreshToken.Fingerprint()
		for _, part := range []SetState{a.next.Primary, a.next.Alternate} {
			if part.hasReplaced(set.RefreshToken) {
				used[set.Name] = part.RefreshTokenFingerprint // an older document: that run used the newer one
			}
		}
	}
	return used, nil
}

// usedBefore is usedBy for the version that the state names, if the last run had read
// another version that the rotator wrote: then the run before it died, too. Otherwise it
// returns nil.
func (a *attempt) usedBefore(ctx context.Context) map[SetName]string {
	read, last := a.c.Lease.CredentialsVersion, a.listed.CredentialsVersion
	if !isOwn(read) || read == last {
		return nil
	}
	used, _ := a.usedBy(ctx, last)
	return used
}

// recorded reports whether a run obtained the refresh token of this set with the version
// that the state names.
func (a *attempt) recorded(set SetName) bool {
	part := a.next.Of(set)
	return part.Version == a.listed.CredentialsVersion && a.creds.Of(set).RefreshToken.Fingerprint() == part.RefreshTokenFingerprint
}

// readVersion reads the credentials of this version. An error of the document itself has a code.
func (a *attempt) readVersion(ctx context.Context, versionID string) (Credentials, error) {
	var version SecretVersion
	err := a.repeatRead(ctx, func(ctx context.Context) (err error) {
		version, err = a.Credentials.ReadVersion(ctx, a.c.Name, versionID)
		return err
	})
	if err != nil {
		return Credentials{}, err
	}
	return ParseCredentials(version)
}
