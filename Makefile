# Rongtong (融通): every command of the README. `make` alone lists them.
#
# The environment is .venv, made on first use from hash-checked pins, by whatever index or
# folder of wheels this machine's pip is set up with. What installers say goes to standard error, so that
# `make demo ARGS=--json` prints one line of JSON and nothing else.

PYTHON ?=
ARGS ?=
JOBS ?= 0

BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --no-input --disable-pip-version-check
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench sdl lock clean

help: ## 列出命令 / list these commands
	@awk -F ' *## ' '/^[a-z]+:.* ## /{split($$1, name, ":"); printf "  make %-7s %s\n", name[1], $$2}' Makefile

demo: .venv/demo.done ## 启动数据库、五级沙盒与中心 / start everything; ARGS='--port 8123 --json' for scripts
	@exec $(BIN)/rongtong demo $(ARGS)

test: .venv/dev.done ## 运行全部测试 / run all tests; ARGS='-k cache' for some
	@exec $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

check: .venv/dev.done ## 代码规范、严格类型、引用规则 / style, strict types, the import law
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/dev.done ## 运行基准测试，打印数字 / run the benchmarks and print their figures
	@exec $(BIN)/python -m pytest -n 0 -o python_files='bench_*.py' tests/benchmarks $(ARGS)

sdl: .venv/dev.done ## 重新生成 schema/sdl/hub.graphql / regenerate the checked-in SDL
	@mkdir -p schema/sdl
	@$(BIN)/rongtong sdl > schema/sdl/hub.graphql.new
	@mv schema/sdl/hub.graphql.new schema/sdl/hub.graphql

lock: ## 重新锁定依赖（需要 uv）/ pin the dependencies anew (needs uv); UPGRADE=--upgrade for newer ones
	@uv pip compile pyproject.toml $(LOCK) $(UPGRADE) --extra embedded --extra dev --group build -o requirements-dev.lock
	@uv pip compile pyproject.toml $(LOCK) --extra embedded --group build -c requirements-dev.lock -o requirements-demo.lock
	@uv pip compile pyproject.toml $(LOCK) --group build -c requirements-dev.lock -o requirements.lock
	@echo uv | uv pip compile - $(LOCK) $(UPGRADE) -o requirements-installer.lock

clean: ## 删除环境、演示状态与各种缓存 / remove the environment, the demo's state and all caches
	@rm -rf .venv .rongtong .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
	@find auth connectors hub schema tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/demo.done: requirements-demo.lock requirements-installer.lock pyproject.toml
	$(environment)
.venv/dev.done: requirements-dev.lock requirements-installer.lock pyproject.toml
	$(environment)
	@touch .venv/demo.done

# One recipe for both: $< is the lock. An interrupted run leaves no stamp, and the next one goes on.
# uv installs several times faster than pip; pip brings it, tells it the index it uses itself, and takes over
# where uv cannot (an offline folder of wheels, an index that only pip can reach).
define environment
@python='$(PYTHON)'; \
new() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }; \
if [ -z "$$python" ]; then for name in python3 python3.14 python3.13 python3.12 python3.11; do \
  if new $$name; then python=$$name; break; fi; done; fi; \
if [ -z "$$python" ] || ! new "$$python"; then \
  echo '需要 Python 3.11 或更高版本 / Python 3.11 or later is needed: install it, or name one with make PYTHON=…' >&2; \
  exit 1; fi; \
if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
  echo '缺少 venv 模块 / the venv module is missing: on Debian and Ubuntu, apt-get install python3-venv' >&2; \
  exit 1; fi; \
echo '正在准备运行环境，首次约一分钟……/ preparing the environment, about a minute the first time …' >&2; \
$(BIN)/python -m pip --version >/dev/null 2>&1 || "$$python" -m venv --clear .venv >&2
@if [ -z "$$PIP_NO_INDEX" ] && $(PIP) install --require-hashes -r requirements-installer.lock >/dev/null 2>&1; then \
index="$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)}"; \
if [ -n "$$index" ]; then UV_DEFAULT_INDEX="$$index"; export UV_DEFAULT_INDEX; fi; \
$(BIN)/uv pip install --python $(BIN)/python --quiet --require-hashes --compile-bytecode -r $< >&2 && exit 0; fi; \
$(PIP) install --require-hashes -r $< >&2
@$(PIP) install --no-deps --no-build-isolation -e . >&2
@touch $@
endef
