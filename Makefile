# Every target makes the virtual environment it needs: python3 with venv and its headers, gcc, make and git are enough.
#   make demo | test | lint | bench | bench-smoke | bench-peers | bench-isa | bench-fashion | test-peers | docs | size | stress
#        | sanitize | arm64 | clean

PYTHON ?= python3
VENV ?= .venv
PEERS ?= .venv-peers
PIP_FLAGS = -qq --disable-pip-version-check --no-input
BUILD_REQUIRES = "setuptools>=77" "cython>=3.1" "numpy>=1.26" wheel
NETWORKS ?= lenet5,resnet18
# Images per call of the convolutions.
BATCHES ?= 1,16
# Runs of bench-fashion.
SEEDS ?= 1
# Seconds that each benchmark may wait until other processes leave the CPUs alone.
PATIENCE ?= 0
BENCH = -q bench --benchmark-json=bench/out/bench.json --benchmark-quiet --patience=$(PATIENCE)

BUILT = $(VENV)/.built
DEV = $(VENV)/.dev
PEERS_BUILT = $(PEERS)/.built
CODE = fastcnn tests bench examples
SOURCES = setup.py pyproject.toml $(shell find fastcnn -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -path '*/ukr/*.c')

.PHONY: demo test test-peers lint bench bench-smoke bench-peers bench-isa bench-fashion docs size stress sanitize arm64 clean build check-tools

demo: $(BUILT)
	$(VENV)/bin/fastcnn demo

test: $(DEV)
	$(VENV)/bin/python -m pytest -q

# The tests that compare with PyTorch, in the environment of the peers.
test-peers: $(PEERS_BUILT)
	$(PEERS)/bin/python -m pytest -q $(shell find tests -name 'test_*_torch.py')

lint: $(DEV)
	$(VENV)/bin/ruff format --check $(CODE) setup.py
	$(VENV)/bin/ruff check $(CODE) setup.py
	$(VENV)/bin/mypy
	PATH="$(abspath $(VENV))/bin:$$PATH" cython-lint fastcnn
	find fastcnn/kernels/ukr -name '*.[ch]' -print0 | xargs -0 -r $(VENV)/bin/clang-format --dry-run -Werror
	$(VENV)/bin/codespell $(CODE) docs *.md

bench: $(DEV)
	$(VENV)/bin/python -m pytest $(BENCH) --networks=$(NETWORKS) --batches=$(BATCHES)
	$(VENV)/bin/python -m bench.report

# Small shapes, one round: shows that every benchmark runs and that its check passes; its times mean nothing.
bench-smoke: $(DEV)
	$(VENV)/bin/python -m pytest $(BENCH) --smoke
	$(VENV)/bin/python -m bench.report

bench-peers: $(PEERS_BUILT)
	$(PEERS)/bin/python -m pytest $(BENCH) --networks=$(NETWORKS) --batches=$(BATCHES) --peers
	$(PEERS)/bin/python -m bench.report

# Products and convolutions with another instruction set, as bench/out/isa-<ISA>.json: the next report has its shares of the peak.
ISA ?= avx2
bench-isa: $(DEV)
	FASTCNN_ISA=$(ISA) $(VENV)/bin/python -m pytest -q bench/bench_gemm.py bench/bench_conv2d.py --networks=$(NETWORKS) --batches=16 \
	    --benchmark-json=bench/out/isa-$(ISA).json --benchmark-quiet --patience=$(PATIENCE)

# Fashion-MNIST to the end by fastcnn and PyTorch in turn, SEEDS times; minutes for each.
bench-fashion: $(PEERS_BUILT)
	$(PEERS)/bin/python -m bench.fashion_mnist --seeds=$(SEEDS)

# Checks the links between the documents and runs the examples in docstrings and in the documents.
docs: $(DEV)
	$(VENV)/bin/python -m pytest -q tests/test_docs.py
	$(VENV)/bin/python -m pytest -q --doctest-modules --doctest-continue-on-failure fastcnn

size:
	@$(PYTHON) -m tests.sizes

# The counts that are used before a release: hours, not minutes.
stress: $(DEV)
	FASTCNN_STRESS=1 $(VENV)/bin/python -m pytest -q

# The kernels' tests under AddressSanitizer and UndefinedBehaviorSanitizer, built into build/sanitize: some ten minutes.
sanitize: $(DEV)
	.ci/sanitize $(VENV)/bin/python

# The portable micro-kernels for arm64, compared with plain loops under an emulator (Debian: gcc-aarch64-linux-gnu qemu-user
# libc6-dev-arm64-cross).
ARM_CC ?= aarch64-linux-gnu-gcc
ARM_RUN ?= qemu-aarch64
UKR = fastcnn/kernels/ukr
arm64:
	@command -v $(ARM_CC) $(ARM_RUN) >/dev/null || { echo 'make: arm64 needs $(ARM_CC) and $(ARM_RUN)'; exit 1; }
	mkdir -p build
	$(ARM_CC) -O3 -std=gnu11 -fno-math-errno -fno-trapping-math -w -static -I$(UKR) -o build/ukr_arm64 \
	    tests/arm64/ukr_test.c $(UKR)/ukr.c $(UKR)/ukr_generic.c -lm
	$(ARM_RUN) build/ukr_arm64

clean:
	rm -rf $(VENV) $(PEERS) build dist *.egg-info bench/out .benchmarks .pytest_cache .mypy_cache .ruff_cache demo-report.html
	find fastcnn -name '*.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

build: $(BUILT)

check-tools:
	@$(PYTHON) -c 'import ensurepip, venv' || { echo 'make: $(PYTHON) needs its venv module (Debian: apt-get install python3-venv)'; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; \
	    sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' \
	    || { echo 'make: $(PYTHON) needs Python.h (Debian: apt-get install python3-dev)'; exit 1; }

$(VENV)/bin/python: | check-tools
	$(PYTHON) -m venv $(VENV)

$(PEERS)/bin/python: | check-tools
	$(PYTHON) -m venv $(PEERS)

$(BUILT): $(SOURCES) | $(VENV)/bin/python
	$(VENV)/bin/pip install $(PIP_FLAGS) $(BUILD_REQUIRES)
	$(VENV)/bin/pip install $(PIP_FLAGS) --no-build-isolation -e ".[cli,plot,data]"
	@touch $@

# fastcnn itself is installed at this point: pip adds only what the extra names.
$(DEV): $(BUILT)
	$(VENV)/bin/pip install $(PIP_FLAGS) "fastcnn[dev]"
	@touch $@

$(PEERS_BUILT): $(SOURCES) | $(PEERS)/bin/python
	$(PEERS)/bin/pip install $(PIP_FLAGS) $(BUILD_REQUIRES)
	$(PEERS)/bin/pip install $(PIP_FLAGS) torch==2.13.0 onnx onnxruntime openvino
	$(PEERS)/bin/pip install $(PIP_FLAGS) --no-build-isolation -e ".[bench]"
	@touch $@
