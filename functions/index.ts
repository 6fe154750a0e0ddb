/** The app's one entry: loading it registers every function. */
import './createRun.ts';
import './createThread.ts';
import './getRun.ts';
import './getThread.ts';
