package cost

// Public on-demand prices of us-east-1 in US dollars, without free tiers, in June
// 2026. They are on aws.amazon.com/SERVICE/pricing.
const (
	pricesOf = "June 2026"

	secretMonth          = 0.40
	secretCalls          = 0.05 / 10_000
	metricMonth          = 0.30
	alarmMonth           = 0.10
	logGB                = 0.50
	lambdaRequest        = 0.20 / 1_000_000
	lambdaGBSecond       = 0.0000166667 // x86
	scheduledInvocation  = 1.00 / 1_000_000
	customerKeyMonth     = 1.00
	customerKeyUse       = 0.03 / 10_000
	serverHour           = 0.0168 // EC2 t4g.small: 2 vCPU, 2 GB
	diskGBMonth          = 0.08   // EBS gp3
	addressHour          = 0.005  // a public IPv4 address
	containerCPUHour     = 0.04048
	containerGBHour      = 0.004445
	databaseHour         = 0.016 // RDS for PostgreSQL, db.t4g.micro
	databaseDiskGBMonth  = 0.115
	freeMetrics          = 10
	freeAlarms           = 10
	freeLogGB            = 5
	freeLambdaRequests   = 1_000_000
	freeLambdaGBSeconds  = 400_000
	freeScheduled        = 14_000_000
	hours, heartbeats    = 30 * 24, 30 * 24 * 60 // of a month
	memoryGB             = 0.128 / 1.024         // 128 MB in the unit of Lambda's price
	rotationEveryHours   = 4
	readsPerHour         = 20
	ownSecondsPerRun     = 0.02 // of processor time, at 128 MB
	serverDiskGB         = 20
	containerCPU, contGB = 0.25, 0.5
)
