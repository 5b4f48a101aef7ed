# SPDX-License-Identifier: Apache-2.0
"""Counts the test cases of one `bazel test` from its build events.

  count_tests.py NAME EXIT_CODE EVENTS

EVENTS is the file of --build_event_json_file, EXIT_CODE is Bazel's. Prints what was skipped
and why, what failed, and as its last line two numbers: passed and failed.
"""

import json
import sys
import urllib.parse
import xml.etree.ElementTree

# Bazel's exit codes: all tests passed, some did not, no test was found. Anything else means
# that the build, or Bazel, failed.
PASSED, TESTS_FAILED, NO_TESTS = 0, 3, 4


class Run:
  """One `bazel test`."""

  def __init__(self, name, exit_code, events):
    self.name = name
    self.exit_code = exit_code
    self.targets = set()  # labels of the tests that were asked for
    self.status = {}      # label -> the summary of a test that ran
    self.results = {}     # (label, run, shard) -> the last attempt's XML file
    for event in events:
      self._read(event)

  def _read(self, event):
    event_id = event.get('id', {})
    if 'testSize' in event.get('configured', {}):
      self.targets.add(event_id['targetConfigured']['label'])
    elif 'testSummary' in event:
      self.status[event_id['testSummary']['label']] = event['testSummary']['overallStatus']
    elif 'testResult' in event:
      key = event_id['testResult']
      for output in event['testResult'].get('testActionOutput', []):
        if output['name'] == 'test.xml':
          self.results[key['label'], key.get('run'), key.get('shard')] = output['uri']

  def count(self):
    """Returns (passed, failed), and prints the cases that were skipped or failed."""
    if self.exit_code not in (PASSED, TESTS_FAILED, NO_TESTS):
      # What does not build has passed nothing, whatever ran before the build broke off.
      print(f'{self.name}: the build failed (Bazel exit code {self.exit_code})')
      return 0, max(len(self.targets), 1)
    passed = failed = 0
    for label in sorted(self.status):
      bad = 0
      for key, uri in sorted(self.results.items()):
        if key[0] == label:
          good_cases, bad_cases = self._count_cases(label, uri)
          passed += good_cases
          bad += bad_cases
      if self.status[label] == 'FLAKY':
        print(f'{self.name}: {label}: FLAKY: failed, and passed when repeated; its log is above')
      if self.status[label] not in ('PASSED', 'FLAKY') and bad == 0:
        # Killed, timed out, crashed after its last case, or never built.
        print(f'{self.name}: {label}: {self.status[label]}')
        bad = 1
      failed += bad
    if self.exit_code == TESTS_FAILED and failed == 0:
      failed = 1
    return passed, failed

  def _count_cases(self, label, uri):
    passed = failed = 0
    file = urllib.parse.unquote(urllib.parse.urlparse(uri).path)
    try:
      cases = list(xml.etree.ElementTree.parse(file).getroot().iter('testcase'))
    except (OSError, xml.etree.ElementTree.ParseError):
      return 0, 0  # the target's own status decides
    for case in cases:
      name = f'{self.name}: {label}: {case.get("classname", "")}.{case.get("name", "")}'
      skipped = case.find('skipped')
      if case.find('failure') is not None or case.find('error') is not None:
        print(f'{name} FAILED')
        failed += 1
      elif skipped is not None:
        print(f'{name} skipped: {" ".join((skipped.get("message") or "no reason").split())}')
      elif case.get('status') == 'notrun':
        print(f'{name} skipped: disabled')
      else:
        passed += 1
    return passed, failed


def main(name, exit_code, file):
  try:
    with open(file) as lines:
      events = [json.loads(line) for line in lines if line.strip()]
  except (OSError, json.JSONDecodeError):
    events = []  # Bazel did not get far; its exit code says so
  passed, failed = Run(name, int(exit_code), events).count()
  print(passed, failed)


if __name__ == '__main__':
  main(*sys.argv[1:])
