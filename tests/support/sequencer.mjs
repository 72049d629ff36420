/**
 * The order of test files: the deployment first, because it takes longest and waits most of the time; alerts last, when the
 * machine is theirs, because in their compressed time a pause of a second is a minute.
 */
import Sequencer from '@jest/test-sequencer';

const rank = ({ path }) => (path.includes('/tests/deep/aws/deploy') ? 0 : path.includes('/tests/drills/') ? 2 : 1);

export default class extends Sequencer {
  sort(tests) {
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b));
  }
}
