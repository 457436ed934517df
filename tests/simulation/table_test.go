package simulation_test

import (
	"fmt"
	"io"
	"strings"
)

const legend = `
expired       reads that got a token whose time was over
unexplained   how many of them no outage longer than the refresh window explains. The window is
              10 minutes; 2 with sets of unequal lives; 0 where one set gets the same token
              until it has expired: then the time to recover explains, too
ended         reads that got a token which the server had ended before its time
no token      reads of a job that had none at all
least left    the least life left at a read that no such outage explains; negative: over

Of jobs that read once, in the second table of each server:
fail within   of all reads, those whose token had ended so long after, for whatever reason
in outages    of those of 25 min, how many had read in an outage or soon after
excepted      and how many had a token that an exception of the promise ended: a forced refresh,
              a report, an uncertain token, changed credentials, a lost state, another login of
              the same user
left (1 %)    what is left of the token's life at any other read, the rotator's own refreshes
              included: the 1 % quantile
early         tokens that the server ended before their valid_until
unexplained   those of them that no exception explains
`

// table prints the policies side by side, for one mode of the server.
func table(w io.Writer, m mode, names []string, sums map[string]tally) {
	rows(w, strings.ToUpper(m.String()[:1])+m.String()[1:], names, sums,
		[]string{"expired", "unexplained", "ended", "no token", "least left", "requests/h", "refresh tokens lost"},
		func(s tally) []string {
			share := func(n int) string { return fmt.Sprintf("%.3f %%", 100*s.share(n)) }
			return []string{
				share(s.expired), fmt.Sprint(len(s.unexplained)), share(s.ended), share(s.none),
				fmt.Sprintf("%.0f s", s.least.Seconds()), fmt.Sprintf("%.2f", float64(s.requests)/s.length.Hours()),
				fmt.Sprint(s.refreshTokensLost),
			}
		})
	rows(w, "Jobs that read once", names, sums,
		[]string{"fail within 5 min", "15 min", "25 min", "in outages", "excepted", "left (1 %)", "early", "unexplained"},
		func(s tally) []string {
			share := func(n int) string { return fmt.Sprintf("%.2f %%", 100*s.share(n)) }
			return []string{
				share(s.fails[0]), share(s.fails[1]), share(s.fails[2]), share(s.failOutage), share(s.failException),
				fmt.Sprintf("%.0f s", s.leastLeft().Seconds()),
				fmt.Sprint(s.endedEarly), fmt.Sprint(len(s.brokenPromises)),
			}
		})
	backedOff := 0
	for _, s := range sums {
		backedOff += s.whileBackedOff
	}
	if backedOff > 0 {
		fmt.Fprintf(w, "%d expired reads of this rotator, not counted as unexplained, were in the hour in which it sends no login after the answers of two were lost\n", backedOff)
	}
}

// rows prints a row of values for each policy.
func rows(w io.Writer, title string, names []string, sums map[string]tally, columns []string, values func(tally) []string) {
	fmt.Fprintf(w, "\n%s:\n%-40s", title, "")
	for _, c := range columns {
		fmt.Fprintf(w, "  %s", c)
	}
	fmt.Fprintln(w)
	for _, name := range names {
		if sums[name].reads == 0 {
			continue
		}
		fmt.Fprintf(w, "%-40s", name)
		for i, value := range values(sums[name]) {
			fmt.Fprintf(w, "  %*s", len(columns[i]), value)
		}
		fmt.Fprintln(w)
	}
}
