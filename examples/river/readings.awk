# Makes readings.csv: awk -f readings.awk > readings.csv
#
# Ten days of three gauges, every hour. A flood comes down the river: at hour t the
# water stands
#
#     base + rise / (1 + ((t - peak) / 9)²)
#
# metres high: the wave is 18 hours wide at half its height. What
# flows is 40 m³/s × (metres)^1.6, and the water has 60 °F, 3 more in the afternoon
# and up to 4 less in the flood.
BEGIN {
	print "gauge;local_time;stage_m;flow_l_s;water_f"
	gauge("alder", 1.20, 2.60, 109)
	gauge("birch", 1.45, 2.35, 112)
	gauge("cedar", 1.80, 2.10, 116)
	# A line comes twice, as when a logger is read out twice; one holds what no
	# number is, and one a spike, as of driftwood below the radar.
	print "made-up:alder;2024-06-01 00:00;1.22;54811;60.0"
	print "made-up:cedar;2024-06-11 00:00;1.88;---;58.0"
	print "made-up:cedar;2024-06-11 01:00;9.87;112000;58.0"
}

function gauge(name, base, rise, peak,    t, wave, stage) {
	for (t = 0; t < 240; t++) {
		wave = 1 / (1 + ((t - peak) / 9) ^ 2)
		stage = base + rise * wave
		printf "made-up:%s;2024-06-%02d %02d:00;%.2f;%d;%.1f\n", name, 1 + int(t / 24), t % 24,
			stage, 40000 * stage ^ 1.6, 60 + (t % 24 >= 12 && t % 24 < 18 ? 3 : 0) - 4 * wave
	}
}
