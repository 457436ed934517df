//go:build !race

package crash_test

// durations are how long a fault may last in the matrix.
var durations = []lasting{once, thisRun, fourMinutes}
