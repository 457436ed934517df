package rotator

// SetName is the name of a credential set in the credentials secret.
type SetName string

// The credential sets. A connection has the first, or both.
const (
	Primary   SetName = "primary"
	Alternate SetName = "alternate"
)

// Other returns the other set.
func (n SetName) Other() SetName {
	if n == Alternate {
		return Primary
	}
	return Alternate
}
