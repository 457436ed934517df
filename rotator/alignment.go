package rotator

// AlignedWith returns the state with each part under the name that its credential
// set has in the credentials. It matches a part and a set by the refresh token, or
// by the identity if there is none, and not by the name, because an operator may
// have exchanged the sets or removed one. A refresh token that matches no part
// counts as the new one of the set with that name or, if the other set has that
// part, of the part that remains. If that is wrong, a request is delayed.
func (s State) AlignedWith(c Credentials) State {
	taken := map[SetName]bool{}
	from := map[SetName]SetName{}
	match := func(known func(SetState, CredentialSet) bool) {
		for _, set := range c.Sets() {
			for _, part := range []SetName{set.Name, set.Name.Other()} {
				if from[set.Name] == "" && !taken[part] && known(*s.Of(part), set) {
					from[set.Name], taken[part] = part, true
				}
			}
		}
	}
	match(func(part SetState, set CredentialSet) bool {
		return !set.RefreshToken.Empty() && part.RefreshTokenFingerprint == set.RefreshToken.Fingerprint()
	})
	match(func(part SetState, set CredentialSet) bool {
		return (set.CanLogIn() || set.RefreshToken.Empty()) && set.Err == nil && part.Identity == set.identity()
	})
	match(func(SetState, CredentialSet) bool { return true })
	aligned := s
	aligned.Primary, aligned.Alternate, aligned.Published.Set = SetState{}, SetState{}, ""
	for place, part := range from {
		*aligned.Of(place) = *s.Of(part)
		if part == s.Published.Set {
			aligned.Published.Set = place
		}
	}
	return aligned
}
