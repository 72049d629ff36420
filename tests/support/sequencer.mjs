/** The order of the deep tests: the deployment rehearsal first, since it takes longest and waits most of the time. */
import Sequencer from '@jest/test-sequencer';

const rank = ({ path }) => (path.includes('/tests/deep/aws/deploy') ? 0 : 1);

export default class extends Sequencer {
  sort(tests) {
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b));
  }
}
