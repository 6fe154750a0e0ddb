import { app } from '@azure/functions';
import { guardProgrammingModel } from '../shared/http/programmingModel.ts';
import './addDocument.ts';
import './cancelRun.ts';
import './console.ts';
import './consoleAsset.ts';
import './createRun.ts';
import './createThread.ts';
import './deleteDocument.ts';
import './deleteFile.ts';
import './deleteThread.ts';
import './followUp.ts';
import './getFile.ts';
import './getFileContent.ts';
import './getOpenApi.ts';
import './getRun.ts';
import './getThread.ts';
import './getThreadFileContent.ts';
import './listDocuments.ts';
import './listRuns.ts';
import './listSteps.ts';
import './listThreads.ts';
import './openai.ts';
import './streamRunEvents.ts';
import './submitToolOutputs.ts';
import './updateRun.ts';
import './updateThread.ts';
import './uploadFile.ts';

/* The app's entry point: importing it registers all functions. */

// Required for SSE; otherwise responses are buffered.
app.setup({ enableHttpStream: true });
guardProgrammingModel();
