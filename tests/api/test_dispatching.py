"""Jobs in a request are the jobs of the CSV."""

import pytest

from api.dispatching import JOBS_MAX, JobBody, JobsBody, body_of, fingerprint_of, read_jobs
from ledger import BadJobs, Grade, InputError
from tests.api.stage import Stage

NOW_S = 1_767_225_600


def test_a_job_in_json_is_the_job_in_words(stage: Stage) -> None:
    hour = NOW_S // 3_600
    exact = {
        "name": "a", "class": "AI_LARGE", "units": 500, "hours": 2, "earliest": hour + 5, "deadline": hour + 9,
        "metro": "257", "latency_ms": 20, "grade": "PREMIUM", "gang": True, "price": "0.004",
    }  # fmt: skip
    words = "name,class,units,hours,earliest,deadline,metro,latency_ms,grade,gang,price\n" + (
        f"a,ai-large,500 units,2h,hour {hour + 5},hour {hour + 9},N. Virginia,20,premium,yes,4 USD/H100-hour\n"
    )
    by_list = read_jobs(JobsBody(jobs=[JobBody.model_validate(exact)]), stage.services, NOW_S)
    by_csv = read_jobs(JobsBody(csv=words), stage.services, NOW_S)
    assert by_list == by_csv
    [job] = by_list.jobs
    assert (job.limit_micro, job.latency_max_us, job.grade, job.gang) == (4_000, 20_000, Grade.PREMIUM, True)
    assert by_list.most_micro == 500 * 2 * 4_000
    said = JobsBody.model_validate(body_of(by_list))
    assert read_jobs(said, stage.services, NOW_S) == by_list


def test_a_request_is_known_by_its_words(stage: Stage) -> None:
    one, other = (JobsBody(csv=f"units\n{units} units\n") for units in (5, 6))
    assert fingerprint_of("/dispatch", one) == fingerprint_of("/dispatch", one.model_copy())
    assert fingerprint_of("/dispatch", one) != fingerprint_of("/dispatch", other)
    assert len(read_jobs(one, stage.services, NOW_S).jobs) == 1


def test_one_request_brings_so_many_jobs_and_no_more(stage: Stage) -> None:
    def asked(count: int) -> JobsBody:
        return JobsBody(csv="units,price\n" + "1,0.01\n" * count)

    assert len(read_jobs(asked(JOBS_MAX), stage.services, NOW_S).jobs) == JOBS_MAX == 2_000
    with pytest.raises(InputError, match="2001 jobs"):
        read_jobs(asked(JOBS_MAX + 1), stage.services, NOW_S)


@pytest.mark.parametrize("job", ["0x" + "ab" * 32 + "cd", "0x" + "AB" * 32, "ab" * 32, "0x" + "ab" * 31])
def test_a_document_is_named_by_its_whole_hash(stage: Stage, job: str) -> None:
    with pytest.raises(BadJobs) as caught:
        read_jobs(JobsBody(jobs=[JobBody(units=5, job=job)]), stage.services, NOW_S)
    assert [(line, column) for line, column, _ in caught.value.cells] == [(1, "job")]


def test_a_long_table_is_refused_before_it_is_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.dispatching.read_job_lines", None)
    body = JobsBody(csv="units\n" + "1\n" * 2 * JOBS_MAX)
    with pytest.raises(InputError, match=f"has {2 * JOBS_MAX + 1} jobs"):
        read_jobs(body, stage.services, 0)
