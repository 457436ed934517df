//go:build !race

package alarms_test

const month = 30 * day
