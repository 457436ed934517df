package doctor

// sampleSize is how many connections' secrets and parameters the doctor writes to.
// The writes of more would take longer than the doctor has: Parameter Store takes
// 3 a second for the whole account. The same policy allows them for every
// connection.
const sampleSize = 100

// inSample reports whether connection i of n is in the sample, which is spread
// evenly.
func inSample(i, n int) bool { return n <= sampleSize || i*sampleSize%n < sampleSize }

// notInSample is the result of a check that writes, for a connection that is not in
// the sample.
func notInSample(name CheckName) Check {
	return passed(name, "not checked: of many connections the doctor writes to a sample of %d; the same policy holds for all", sampleSize)
}
