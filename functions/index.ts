import { app } from '@azure/functions';
import './cancelRun.ts';
import './createRun.ts';
import './createThread.ts';
import './deleteThread.ts';
import './followUp.ts';
import './getOpenApi.ts';
import './getRun.ts';
import './getThread.ts';
import './listRuns.ts';
import './listThreads.ts';
import './streamRunEvents.ts';

/* The app's one entry: loading it registers every function. */

// Without it an answer travels whole, and there could be no live events.
app.setup({ enableHttpStream: true });
