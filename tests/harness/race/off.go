//go:build !race

// Package race reports whether the race detector is on. It makes a test ten
// times slower, and it finds in a sample what it finds in the whole.
package race

const Enabled = false
