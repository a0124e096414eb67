// Command mesonet runs a network of weather stations and asks it questions.
//
// # Synopsis
//
//	mesonet demo                               a year of real weather in a minute
//	mesonet server --data DIR                  a node that keeps its data in DIR
//	mesonet config print|check                 what a server is told, and by what
//	mesonet load FILE...                       send readings from files to a node
//	mesonet observe|retract STATION TIME ...   one observation
//	mesonet quarantine list|retry|release      lines that could not be taken in
//	mesonet station get|list|load ...          the catalogue of stations
//	mesonet current STATION                    the latest observation
//	mesonet observations STATION [FROM [TO]]   hour by hour
//	mesonet temperature STATION PERIOD         of a day, a month or a year
//	mesonet hilow STATION MONTH                of a month, day by day
//	mesonet precip STATION PERIOD              of a day, a month or a year
//	mesonet top MEASURE STATION PERIOD         the hours or days with most or least
//	mesonet top-stations MEASURE PERIOD        the stations with most or least
//	mesonet sky|wind STATION PERIOD            how often it was what
//	mesonet statistics STATION MEASURE PERIOD  of any measure
//	mesonet measures                           which there are
//	mesonet ask -                              many questions at once
//	mesonet version
//
// # Description
//
// A node is one process with a folder; it speaks gRPC (mesonet.v1). Every other
// command is a client of it and is told where it is by --addr or MESONET_ADDR,
// else 127.0.0.1:7210. To those who run it, it says over HTTP how it is doing, at
// --admin or 127.0.0.1:7310; see docs/operations.md. Dates are of UTC. Stations
// have NOAA's ids, USAF:WBAN, such as 725030:14732.
//
// A period is a year, a month or a day: 2008, 2008-12 or 2008-12-01. A time is
// 2008-12-01T16:00Z. Where something ends or is at a period, all of that is in it.
//
// # Output
//
// Answers go to stdout, in the format of -o:
//
//	table  for people, on a terminal with small charts where these say more
//	json   one document with the field names of the API, numbers as numbers
//	jsonl  the same a line each: an object for each observation, station, place
//	       of a ranking, day, ...; other answers are one line
//	csv    the same rows under a header: numbers plain, times as RFC 3339, lists of
//	       names with spaces between. What is within something has its name before
//	       its own, as in a.b; what has no cell of its own is JSON in one.
//
// In jsonl and csv observations are written as they come, whatever their number.
// Everything else goes to stderr: progress, hints, what a list rests on, errors.
// What is not known is shown as "-" in a table, as null in JSON and as nothing in
// csv; a period without data is an error of its own (exit code 3), never a zero.
//
// # Exit codes
//
//	0    done
//	1    failed
//	2    wrong usage; nothing was sent
//	3    no such station, or no data for the period
//	4    the server cannot be reached, or cannot answer now: try again
//	5    done in part: some readings, stations or questions were refused or malformed
//	130  interrupted
//
// # Loading
//
// Readings are idempotent: loading a file again stores nothing twice, so a load
// that broke off is simply started again. Within one run, mesonet load sends
// again by itself what the server has not acknowledged when the connection
// breaks, for as long as --retry says. With --resume it keeps in a file how far it
// is, so that the next one skips what was dealt with in the same store.
//
// Lines that can't be read and readings that are refused go to the quarantine of
// the server, under the name of their file and with their number: the line as it is,
// up to 4 KiB, in the format that it was read in, csv/river for the mapping river. A
// header that lines need is kept as "csv/river header". Of a reading there is no line
// any more when it is refused; it is kept as an object of JSON, in the format
// "reading". mesonet quarantine retry reads all of them again.
//
// # Environment
//
//	MESONET_ADDR    the address of the server, when --addr is not given
//	MESONET_CONFIG  the file of a server's configuration, when --config is not given
//	MESONET_…       the settings of a server, see package internal/config
//	NO_COLOR        when set, output has no colour; it never has in a file or pipe
//	LC_ALL, LC_CTYPE, LANG  when they name a charset other than UTF-8, charts are ASCII
//
// # How it is written
//
// main calls run and nothing else; tests call run too. Each noun is a file that
// builds its cobra command. Errors travel up as they are and are put into words
// once, in errors.go. Goroutines belong to the function that started them, which
// waits for them.
package main
