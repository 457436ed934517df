package cost

import (
	"fmt"
	"math"
	"strings"
)

// month is the usage and cost of a number of connections in a month.
type month struct {
	usage
	alarms int
}

func (u usage) month(alarms int) month { return month{u, alarms} }

func (m month) allRefreshes() int { return m.connections * m.refreshes }

// runsThatRefresh is lower than the number of refreshes, because one run may refresh
// several connections and logs one line for all of them.
func (m month) runsThatRefresh() float64 {
	return heartbeats * (1 - math.Pow(1-float64(m.refreshes)/heartbeats, float64(m.connections)))
}

func (m month) secretCalls() int {
	return heartbeats*m.idle.secrets() + m.allRefreshes()*m.refresh.secrets()
}

func (m month) parameterCalls() int {
	return heartbeats*m.idle.parameters() + m.allRefreshes()*m.refresh.parameters()
}

func (m month) gbSeconds() float64 {
	return memoryGB * (heartbeats*(m.idle.took.Seconds()+ownSecondsPerRun) + float64(m.allRefreshes())*m.refresh.took.Seconds())
}

func (m month) logGB() float64 {
	return (heartbeats*float64(m.idle.logged) + m.runsThatRefresh()*float64(m.refresh.logged)) / 1e9
}

// item is a line of the bill.
type item struct {
	what, price string
	cost        func(month) float64
	// free is the most that a permanent free tier covers.
	free float64
}

func items(m month) []item {
	return []item{
		{"secrets", "2 per connection, 0.40", func(m month) float64 { return 2 * float64(m.connections) * secretMonth }, 0},
		{"Secrets Manager calls", fmt.Sprintf("%d per refresh, 0.05 per 10,000", m.refresh.secrets()), func(m month) float64 { return float64(m.secretCalls()) * secretCalls }, 0},
		{"metrics", fmt.Sprintf("%d, 0.30", m.metricsNamed), func(m month) float64 { return float64(m.metricsNamed) * metricMonth }, freeMetrics * metricMonth},
		{"alarms", fmt.Sprintf("%d, 0.10", m.alarms), func(m month) float64 { return float64(m.alarms) * alarmMonth }, freeAlarms * alarmMonth},
		{"Lambda requests", "0.20 per million", func(month) float64 { return heartbeats * lambdaRequest }, freeLambdaRequests * lambdaRequest},
		{"Lambda time", "0.0000166667 per GB-second", func(m month) float64 { return m.gbSeconds() * lambdaGBSecond }, freeLambdaGBSeconds * lambdaGBSecond},
		{"logs", "0.50 per GB", func(m month) float64 { return m.logGB() * logGB }, freeLogGB * logGB},
		{"schedule", "1.00 per million", func(month) float64 { return heartbeats * scheduledInvocation }, freeScheduled * scheduledInvocation},
		{"parameters and their calls", "standard: free", func(month) float64 { return 0 }, 0},
	}
}

func (m month) total() (sum float64) {
	for _, i := range items(m) {
		sum += cents(i.cost(m))
	}
	return sum
}

func (m month) free() (sum float64) {
	for _, i := range items(m) {
		sum += cents(max(i.cost(m)-i.free, 0))
	}
	return sum
}

func (m month) withKey() float64 {
	return m.total() + cents(customerKeyMonth) + cents(float64(m.allRefreshes()*m.refresh.keyUses())*customerKeyUse)
}

// cents rounds to the precision of the page, so that its columns add up.
func cents(amount float64) float64 { return math.Round(amount*100) / 100 }

// lines writes a table's rows.
type lines struct{ strings.Builder }

func (l *lines) row(cells ...string) { fmt.Fprintf(l, "| %s |\n", strings.Join(cells, " | ")) }

func each(months []month, value func(month) string) (cells []string) {
	for _, m := range months {
		cells = append(cells, value(m))
	}
	return cells
}

func amount(v float64) string { return fmt.Sprintf("%.2f", v) }

// number formats a number with thousands separators.
func number[N int | float64](v N) string {
	digits := fmt.Sprintf("%.0f", float64(v))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func usageTable(months []month, two month) string {
	var l lines
	row := func(what string, value func(month) string) {
		l.row(append(append([]string{what}, each(months, value)...), value(two))...)
	}
	l.row("per month of 30 days", "1", "10", "100 connections", "1 with two credential sets")
	l.row("---", "---", "---", "---", "---")
	row("heartbeats", func(month) string { return number(heartbeats) })
	row("refreshes, token requests", func(m month) string { return number(m.allRefreshes()) })
	row("calls of Parameter Store", func(m month) string { return number(m.parameterCalls()) })
	row("calls of Secrets Manager", func(m month) string { return number(m.secretCalls()) })
	row("GB-seconds of Lambda", func(m month) string { return number(m.gbSeconds()) })
	row("MB of logs", func(m month) string { return number(m.logGB() * 1000) })
	return l.String()
}

func costTable(months []month) string {
	var l lines
	row := func(what, price string, value func(month) string) {
		l.row(append([]string{what, price}, each(months, value)...)...)
	}
	l.row("US dollars per month", "price", "1", "10", "100 connections")
	l.row("---", "---", "---", "---", "---")
	for _, i := range items(months[0]) {
		row(i.what, i.price, func(m month) string { return amount(i.cost(m)) })
	}
	row("**total**", "", func(m month) string { return "**" + amount(m.total()) + "**" })
	row("per connection", "", func(m month) string { return amount(m.total() / float64(m.connections)) })
	row("total with permanent free tiers", "nothing else in the account uses them", func(m month) string { return amount(m.free()) })
	row("total with a customer managed key", fmt.Sprintf("1.00, and %d uses per refresh, 0.03 per 10,000", months[0].refresh.keyUses()), func(m month) string { return amount(m.withKey()) })
	return l.String()
}

func alternatives(months []month) string {
	var l lines
	row := func(what string, value func(month) string, but string) {
		l.row(append(append([]string{what}, each(months, value)...), but)...)
	}
	reads := func(m month) int { return m.connections * readsPerHour * hours }
	l.row("per month", "1", "10", "100 connections", "drawback")
	l.row("---", "---", "---", "---", "---")
	row("this project, with the reads of the jobs", func(m month) string {
		return fmt.Sprintf("%s, %s requests", amount(m.total()+float64(reads(m))*secretCalls), number(m.allRefreshes()))
	}, "")
	row("every job requests its own token", func(m month) string {
		return fmt.Sprintf("%s, %s requests", amount(float64(m.connections)*secretMonth+float64(reads(m))*secretCalls), number(reads(m)))
	}, "every job has the credentials, and each refresh ends the token of the other jobs")
	row(fmt.Sprintf("Secrets Manager's own rotation, every %d hours", rotationEveryHours), func(m month) string {
		const steps = 4
		rotations := float64(m.connections * hours / rotationEveryHours)
		held := 2*float64(m.connections)*secretMonth + float64(reads(m))*secretCalls
		return amount(held + rotations*(steps*2*secretCalls+steps*(lambdaRequest+memoryGB*lambdaGBSecond)))
	}, fmt.Sprintf("does not work: the minimum interval is four hours, so that a token that lives one hour has expired %d %% of the time", 100-100/rotationEveryHours))
	server := hours*(serverHour+addressHour) + serverDiskGB*diskGBMonth
	row("one EC2 t4g.small with Vault or Nango", func(month) string { return amount(server) }, "needs patches, backups and monitoring; if it is down, all tokens expire within an hour")
	container := hours * (containerCPU*containerCPUHour + contGB*containerGBHour + addressHour)
	database := hours*databaseHour + serverDiskGB*databaseDiskGBMonth
	row("Fargate, ¼ vCPU and ½ GB, and RDS db.t4g.micro", func(month) string { return amount(container + database) }, "restarts by itself, but a server and a database need updates")
	return l.String()
}
