/*
 * The clients of Azure Storage. Import this module dynamically, on first use: the clients and the core packages that they
 * share would slow a worker's start. The build bundles them into a separate file.
 */
export { TableClient } from '@azure/data-tables';
export { QueueClient } from '@azure/storage-queue';
