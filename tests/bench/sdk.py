"""The other sides: `Langfuse().run_experiment` over one row per fact, as the original sample does it, or async."""

import asyncio
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from autoevals.llm import Factuality
from botocore.config import Config
from langfuse import Evaluation, Langfuse
from langfuse.experiment import LocalExperimentItem
from openai import AsyncOpenAI, OpenAI

from tests.bench.scenario import JUDGE_MODEL, items

RUNTIME_ARN = "arn:aws:bedrock-agentcore:eu-central-1:000000000000:runtime/fw_bench_candidate-0000000000"
WORKERS = 50


def rows(count: int) -> list[LocalExperimentItem]:
    """One row for each fact: the agent is asked once for each of them."""
    return [
        {"input": {"question": item.question}, "expected_output": fact, "metadata": {"item": item.item_id}}
        for item in items(count)
        for fact in item.response_facts
    ]


def agent(pool: int) -> Any:
    config = Config(max_pool_connections=pool, read_timeout=60, retries={"total_max_attempts": 1})
    client = boto3.client("bedrock-agentcore", config=config)

    def ask(question: str) -> str:
        reply = client.invoke_agent_runtime(
            agentRuntimeArn=RUNTIME_ARN, payload=json.dumps({"question": question}).encode(), qualifier="DEFAULT"
        )
        return str(json.loads(reply["response"].read())["answer"])

    return ask


def run_sync(langfuse: Langfuse, count: int, judge_url: str) -> int:
    ask = agent(10)
    judge = Factuality(client=OpenAI(base_url=judge_url, api_key="bench"), model=JUDGE_MODEL)

    def task(*, item: Any, **_: Any) -> str:
        answer: str = ask(item["input"]["question"])
        return answer

    def factuality(*, input: Any, output: Any, expected_output: Any, **_: Any) -> Evaluation:  # noqa: A002 - the SDK's names
        result = judge.eval(output, expected_output, input=input["question"])
        return Evaluation(name="factuality", value=result.score)

    result = langfuse.run_experiment(name="sync", data=rows(count), task=task, evaluators=[factuality])
    return len(result.item_results)


def run_async(langfuse: Langfuse, count: int, judge_url: str) -> int:
    ask = agent(WORKERS)
    judge = Factuality(client=AsyncOpenAI(base_url=judge_url, api_key="bench"), model=JUDGE_MODEL)
    # The default pool has a few threads for each processor: it would hold this side back.
    pool = ThreadPoolExecutor(WORKERS)

    async def task(*, item: Any, **_: Any) -> str:
        answer: str = await asyncio.get_running_loop().run_in_executor(pool, ask, item["input"]["question"])
        return answer

    async def factuality(*, input: Any, output: Any, expected_output: Any, **_: Any) -> Evaluation:  # noqa: A002
        result = await judge.eval_async(output, expected_output, input=input["question"])
        return Evaluation(name="factuality", value=result.score)

    result = langfuse.run_experiment(
        name="async", data=rows(count), task=task, evaluators=[factuality], max_concurrency=WORKERS
    )
    pool.shutdown()
    return len(result.item_results)


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    langfuse = Langfuse()
    judge_url = os.environ["JUDGE_BASE_URL"]
    for line in sys.stdin:
        message = json.loads(line)
        run = {"sync": run_sync, "async": run_async}[message["side"]]
        started_s = time.monotonic()
        done = run(langfuse, message["items"], judge_url)
        langfuse.flush()
        answers.write(json.dumps({"rows": done, "call_s": time.monotonic() - started_s}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
