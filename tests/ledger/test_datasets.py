"""Every reader on the package's own cut, on the full folder where there is one, and on files that are broken."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from ledger import datasets
from ledger.errors import BadData
from ledger.units import MICRO_PER_USD

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDERS = [None, *([SHARED] if SHARED.is_dir() else [])]

Reader = Callable[[Path | None], tuple[object, ...]]
READERS: dict[str, Reader] = {
    "mlperf_offline.csv": datasets.benchmarks,
    "device_datasheets.csv": datasets.datasheets,
    "cloud_prices.csv": datasets.list_prices,
    "gpu_market_provider_hourly.csv": datasets.market_prices,
    "jobs_philly.csv": datasets.jobs,
    "cloud_rtt_2022.csv": datasets.latencies,
}
GOOD_LINES = {
    "mlperf_offline.csv": (
        "version,submitter,platform,accelerator,model,units,result_per_accelerator,availability",
        "v4.1,Dell,XE9680,NVIDIA H200-SXM-141GB,resnet,Samples/s,96029.375,available",
    ),
    "device_datasheets.csv": (
        "model,fp16_dense_matrix_tflops,fp64_vector_tflops,fp64_matrix_tflops,mem_gb",
        "Abacus 1,1.5,,0.5,16",
    ),
    "cloud_prices.csv": (
        "provider,region,instance_type,gpu_model,gpu_count,price_per_hour,currency",
        "abacus,agora,p5.48xlarge,H100,8,55.04,USD",
    ),
    "gpu_market_provider_hourly.csv": (
        "timestamp_utc,gpu,socket,provider,offers,min_usd_per_gpu_h,avg_usd_per_gpu_h",
        "2025-11-08T12:20,H100_80GB,SXM5,nebius,4,2.12,2.5",
    ),
    "jobs_philly.csv": ("submit_s,duration_s,gpus,cluster", "10,20,8,7f04ca"),
    "cloud_rtt_2022.csv": ("src,dst,avg_rtt_ms", "aws:eu-central-1,aws:eu-west-1,22.213"),
}


def write(folder: Path, name: str, *lines: str) -> Path:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("name", READERS)
def test_every_file_reads_and_is_not_empty(name: str, folder: Path | None) -> None:
    assert READERS[name](folder)


@pytest.mark.parametrize("name", READERS)
def test_the_folder_takes_the_place_of_the_cut(name: str, tmp_path: Path) -> None:
    given = READERS[name](write(tmp_path, name, *GOOD_LINES[name]))
    shipped = READERS[name](None)
    assert given[-1] not in shipped
    # Datasheets are the package's own table: a folder adds to it and corrects it.
    assert len(given) == (len(shipped) + 1 if name == "device_datasheets.csv" else 1)


@pytest.mark.parametrize("name", READERS)
def test_a_missing_file_is_bad_data(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=name):
        READERS[name](tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_a_file_without_a_column_is_bad_data(name: str, tmp_path: Path) -> None:
    columns, line = (text.split(",") for text in GOOD_LINES[name])
    for missing in range(len(columns)):
        rest = [",".join(cell for place, cell in enumerate(row) if place != missing) for row in (columns, line)]
        with pytest.raises(BadData, match=f"no column '{columns[missing]}'"):
            READERS[name](write(tmp_path, name, *rest))


@pytest.mark.parametrize("bad", ["NaN", "-1", "0", "Infinity", "two", ""])
def test_a_result_that_is_not_a_positive_number_is_bad_data_with_its_line(bad: str, tmp_path: Path) -> None:
    columns, line = GOOD_LINES["mlperf_offline.csv"]
    write(tmp_path, "mlperf_offline.csv", columns, line, line.replace("96029.375", bad))
    with pytest.raises(BadData, match="line 3"):
        datasets.benchmarks(tmp_path)


def test_a_short_line_is_bad_data(tmp_path: Path) -> None:
    columns, _ = GOOD_LINES["cloud_prices.csv"]
    with pytest.raises(BadData, match="line 2"):
        datasets.list_prices(write(tmp_path, "cloud_prices.csv", columns, "aws,us-east-1"))


def test_a_file_that_is_not_text_is_bad_data(tmp_path: Path) -> None:
    (tmp_path / "jobs_philly.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(BadData, match="UTF-8"):
        datasets.jobs(tmp_path)


def test_a_datasheet_of_the_folder_replaces_ours(tmp_path: Path) -> None:
    columns, _ = GOOD_LINES["device_datasheets.csv"]
    sheets = datasets.datasheets(write(tmp_path, "device_datasheets.csv", columns, "T4,64,,,15"))
    (t4,) = (sheet for sheet in sheets if sheet.device == "T4")
    assert (t4.fp16_tflops, t4.memory_gb) == (Decimal(64), 15)


def test_list_prices_are_whole_instances_in_dollars(tmp_path: Path) -> None:
    columns, _ = GOOD_LINES["cloud_prices.csv"]
    lines = (
        "aws,us-east-1,p5.48xlarge,H100,8,55.04,USD",
        "aws,us-east-1,g6f.large,L4,0.125,0.2,USD",
        "aws,us-east-1,m7i.large,,0,0.1,USD",
        "aws,us-east-1,p6e.large,GB200,4,,USD",
        "aws-cn,cn-north-1,g5.xlarge,A10G,1,10,CNY",
        "alibaba,cn-beijing,ecs.gn7e-c16g1.4xlarge,A100-80G,1,4.8,USD(=CNY*0.138)",
    )
    prices = datasets.list_prices(write(tmp_path, "cloud_prices.csv", columns, *lines))
    assert [(price.family, price.devices, price.hourly_micro) for price in prices] == [
        ("p5", 8, 55_040_000),
        ("g5", 1, int(10 * MICRO_PER_USD * datasets.CNY_IN_USD)),
        ("gn7e", 1, 4_800_000),
    ]


def test_market_prices_name_their_device_with_its_socket(tmp_path: Path) -> None:
    (price,) = datasets.market_prices(
        write(tmp_path, "gpu_market_provider_hourly.csv", *GOOD_LINES["gpu_market_provider_hourly.csv"])
    )
    assert (price.device, price.lowest_micro, price.mean_micro) == ("H100_80GB SXM5", 2_120_000, 2_500_000)


def test_latencies_are_one_way(tmp_path: Path) -> None:
    (latency,) = datasets.latencies(write(tmp_path, "cloud_rtt_2022.csv", *GOOD_LINES["cloud_rtt_2022.csv"]))
    assert latency.one_way_us == 11_106


@pytest.mark.parametrize("folder", FOLDERS)
def test_jobs_come_in_the_order_of_their_submission(folder: Path | None) -> None:
    times = [job.submit_s for job in datasets.jobs(folder)]
    assert times == sorted(times)


@pytest.mark.parametrize("folder", FOLDERS)
def test_market_prices_are_never_below_the_lowest(folder: Path | None) -> None:
    assert all(0 < price.lowest_micro <= price.mean_micro for price in datasets.market_prices(folder))


def test_the_cut_has_only_what_may_be_shipped() -> None:
    assert {price.provider for price in datasets.list_prices()} <= {"aws", "aws-cn"}
