# Writes the Parquet files beside it with pyarrow (26.0.1 was used), so that the
# reader is held against what another program writes. It reads lines of the
# killrweather format, ny-sf-2008.csv, and applies the rules that KillrWeather
# documents.
import datetime, decimal, sys
import pyarrow as pa
import pyarrow.parquet as pq


def rows(path, count):
    out = []
    for line in list(open(path))[:count]:
        c = line.strip().split(",")
        at = datetime.datetime(int(c[1]), int(c[2]), int(c[3]), int(c[4]))
        v = dict(zip(["t", "d", "p", "wd", "ws", "sky", "one", "six"], map(float, c[5:])))
        if v["d"] >= 900: v["d"] = None
        if v["p"] == 0: v["p"] = None
        if v["t"] == 0 and v["d"] is None: v["t"] = None
        if v["wd"] == 0 and v["ws"] == 0 and v["d"] is None and v["p"] is None: v["wd"] = v["ws"] = None
        elif v["wd"] == 0 and v["ws"] != 0: v["wd"] = None
        for k in ("one", "six"):
            v[k] = -0.1 if v[k] == -0.1 else round(v[k] * 10, 1)
        out.append((c[0], at, v))
    return out


def column(data, key, kind, turn=lambda x: x):
    return pa.array([None if v[key] is None else turn(v[key]) for _, _, v in data], type=kind)


def table(data, unit="ms", tz="UTC", time=None):
    tenth = lambda x: decimal.Decimal(str(x)).quantize(decimal.Decimal("0.1"))
    cols = {
        "station": pa.array([s for s, _, _ in data]),
        "time": time or pa.array([at for _, at, _ in data], type=pa.timestamp(unit, tz=tz)),
        "temperature": column(data, "t", pa.float64()),
        "dew_point": column(data, "d", pa.float32()),
        "sea_level_pressure": column(data, "p", pa.decimal128(7, 1), tenth),
        "wind_direction": column(data, "wd", pa.int16(), int),
        "wind_speed": column(data, "ws", pa.float64()),
        "sky_condition": column(data, "sky", pa.uint8(), int),
        "precipitation_1h": column(data, "one", pa.float64()),
        "precipitation_6h": column(data, "six", pa.float64()),
    }
    return pa.table(cols)


def main(path, out):
    few = rows(path, 400)
    pq.write_table(table(few), out + "/snappy.parquet", compression="snappy")
    pq.write_table(table(few, "us"), out + "/zstd-v2.parquet", compression="zstd", data_page_version="2.0", row_group_size=150)
    pq.write_table(table(few, "ns"), out + "/encodings.parquet", compression="gzip", use_dictionary=False, store_decimal_as_integer=True,
        column_encoding={"station": "DELTA_LENGTH_BYTE_ARRAY", "time": "DELTA_BINARY_PACKED", "wind_direction": "DELTA_BINARY_PACKED",
                         "temperature": "BYTE_STREAM_SPLIT", "dew_point": "BYTE_STREAM_SPLIT"})
    pq.write_table(table(few, "ns", None), out + "/int96.parquet", compression="none", use_deprecated_int96_timestamps=True,
        use_dictionary=["temperature"], column_encoding={"station": "DELTA_BYTE_ARRAY"}, data_page_size=300, write_page_checksum=True)
    # What is not needed, and a wind that is a struct, with seconds as times.
    seconds = pa.array([int(at.replace(tzinfo=datetime.timezone.utc).timestamp()) for _, at, _ in few], type=pa.int64())
    t = table(few, time=seconds)
    wind = pa.StructArray.from_arrays([t["wind_direction"].combine_chunks(), t["wind_speed"].combine_chunks()], ["direction", "speed"])
    t = t.drop_columns(["wind_direction", "wind_speed"])
    t = t.append_column("wind", wind)
    t = t.append_column("flags", pa.array([["a"] * (i % 3) for i in range(len(few))]))
    t = t.append_column("good", pa.array([i % 2 == 0 for i in range(len(few))]))
    pq.write_table(t, out + "/nested.parquet", compression="zstd")
    # Small ones to begin with when fuzzing.
    tiny = table(few[:5]).select(["station", "time", "temperature"])
    small = {"write_statistics": False, "store_schema": False}
    pq.write_table(tiny, out + "/tiny.parquet", compression="snappy", **small)
    pq.write_table(table(few[:5], "us", None).select(["station", "time", "temperature"]), out + "/local.parquet", **small)
    pq.write_table(tiny, out + "/tiny-v2.parquet", compression="zstd", data_page_version="2.0", **small)
    pq.write_table(tiny, out + "/tiny-encodings.parquet", compression="none", use_dictionary=False,
        column_encoding={"station": "DELTA_BYTE_ARRAY", "time": "DELTA_BINARY_PACKED", "temperature": "BYTE_STREAM_SPLIT"}, **small)
    pq.write_table(table(few[:3]), out + "/lz4.parquet", compression="lz4")
    pq.write_table(table(rows(path, 1 << 30)), out + "/year.parquet", compression="zstd", compression_level=19, write_statistics=False)


main(sys.argv[1], sys.argv[2])
