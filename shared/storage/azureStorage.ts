/*
 * The clients of Azure Storage, imported on first use only: together they share Azure's core, which is no small part of
 * a worker's start. The build puts them into one file of their own.
 */
export { TableClient } from '@azure/data-tables';
export { QueueClient } from '@azure/storage-queue';
