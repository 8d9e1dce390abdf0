# Every command sets up what it needs; `make` alone lists the commands.
# Paths are relative, so that the folder's own path may hold spaces.

PYTHON ?= python3
PY := .venv/bin/python
UV := .venv/bin/uv
SYNC := --quiet --frozen --compile-bytecode --group setup

# Where this variable is set nothing is ever compiled to bytecode, and importing
# TensorFlow takes 10 s in every kernel instead of 4.
unexport PYTHONDONTWRITEBYTECODE
# oneDNN picks another order of summation on each kind of processor
export TF_ENABLE_ONEDNN_OPTS := 0
export TF_CPP_MIN_LOG_LEVEL := 3
export KERAS_BACKEND := tensorflow
export PYTHONHASHSEED := 0

# Each of these runs alone in this clone; a second one waits until the first has ended.
ALONE := book test lint format bench doctor pdf adopt colab chapter register replicate upgrade \
  clean distclean setup

.DEFAULT_GOAL := help
.PHONY: help serve $(ALONE)

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

serve: book  ## show the site at http://127.0.0.1:8000 and rebuild it on change
	@$(PY) scripts/serve.py

ifndef NNPERF_ALONE

$(ALONE):
	@$(or $(wildcard $(PY)),$(PYTHON)) scripts/alone.py "make $@" $(MAKE) --no-print-directory $@

else  # alone.py has called make again

book: setup  ## build the site: _build/html/index.html
	@$(PY) scripts/execute.py
	@$(PY) scripts/once.py site $(PY) scripts/build.py

# a chapter's tests need no site: what looks at its page is left to `make test`
test: $(if $(CHAPTER),setup,style book)  ## run all tests, or one chapter's: make test CHAPTER=07
ifdef CHAPTER
	@$(PY) scripts/execute.py "$(CHAPTER)"
	@$(PY) -m pytest --chapter="$(CHAPTER)"
else
	@$(PY) scripts/once.py tests $(PY) -m pytest -n logical --dist=worksteal
endif

.PHONY: style
style: setup  # before the book: what is seen in a second need not wait for it
	@$(PY) scripts/once.py lint $(MAKE) --no-print-directory lint

chapter: setup  ## lay the files of a new chapter: make chapter NAME=21_topic
	@$(PY) scripts/lay_chapter.py "$(NAME)"

lint: setup  ## check style, and that no notebook carries outputs
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m nbstripout --verify --keep-id chapters/*.ipynb

format: setup  ## put code in its form and strip the notebooks' outputs
	@$(PY) -m ruff check --fix
	@$(PY) -m ruff format
	@$(PY) -m nbstripout --keep-id chapters/*.ipynb

bench: setup  ## time the engine against what a reader would use instead
	@$(UV) sync $(SYNC) --group bench
	@$(PY) benchmarks/engine.py $(BENCH)
	@$(PY) benchmarks/design.py

doctor: setup  ## measure how often the doctor is right; goes on where it stopped
	@$(PY) benchmarks/doctor/run.py $(DOCTOR)
	@$(if $(DOCTOR),:,$(PY) benchmarks/doctor/others.py)

pdf: book  ## print the whole course: _build/course.pdf
	@$(PY) scripts/pdf.py

adopt: setup  ## set the repository's address: make adopt REPO=https://github.com/…
	@$(PY) scripts/adopt.py $(if $(filter undefined,$(origin REPO)),,"$(REPO)")

register: setup  ## register a new or revised claim: make register CLAIM=its-id
	@$(PY) scripts/register.py $(if $(WORDING),--wording) $(CLAIM)

colab: setup  ## run all chapters alone, or CHAPTER=07, with nothing but the package
	@NNPERF_COLAB="$(or $(CHAPTER),all)" $(PY) -m pytest tests/test_adopt.py -k alone

replicate: setup $(if $(CHAPTER),,book)  ## draw everything anew: SEEDS=1000 [DATA=diabetes] [CHAPTER=07]
	@$(if $(CHAPTER),$(PY) scripts/execute.py $(CHAPTER))
	@$(PY) scripts/replicate.py $(SEEDS) $(if $(DATA),--data $(DATA)) \
	  $(if $(CHAPTER),--chapter $(CHAPTER))

upgrade: setup  ## lock the newest releases of all dependencies and install them
	@$(UV) lock --upgrade
	@$(UV) export --quiet --frozen --only-group setup --no-emit-project --no-header \
	  > scripts/uv.txt
	@mkdir -p _build
	@$(UV) export --quiet --frozen --all-groups --no-emit-project --no-header \
	  --no-hashes > _build/locked.txt
	@echo jupyterlab | $(UV) pip compile - --quiet --upgrade --universal \
	  --python-version 3.11 --constraint _build/locked.txt --generate-hashes \
	  --no-header --no-annotate > scripts/jupyterlab.txt
	@$(UV) sync $(SYNC)

clean:  ## remove what was built, keep what is installed
	rm -rf _build .executed dist .pytest_cache .ruff_cache .hypothesis

distclean: clean  ## remove what is installed, too
	rm -rf .venv

setup: .venv/.done  ## install everything into .venv
	@:

.venv/.done: uv.lock pyproject.toml scripts/uv.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; \
	  sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python 3.11, 3.12 or 3.13 is needed, " \
	  "this is %d.%d; name another: make PYTHON=python3.12" % v)'
	@echo "installing the locked packages into .venv"
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r scripts/uv.txt
	@$(UV) sync $(SYNC)
	@touch $@

endif
