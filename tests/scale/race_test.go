//go:build race

package scale_test

// raced: a thousand connections take minutes with the race detector, and it
// sees in 300 what it sees in them.
const raced = true
