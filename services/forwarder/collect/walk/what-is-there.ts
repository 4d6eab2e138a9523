// What a path leads to at the moment: nothing, where it cannot be asked.

import { lstat, stat } from 'node:fs/promises';

export async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch {
    return false;
  }
}

export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

export async function isFile(path: string, isNoLink: boolean): Promise<boolean> {
  try {
    const found = await (isNoLink ? lstat(path) : stat(path));
    return found.isFile();
  } catch {
    return false;
  }
}

/** Whether one of the folders that lead to the path, from this depth on, is a link. */
export async function isBehindLink(path: string, depth: number): Promise<boolean> {
  const names = path.split('/').slice(0, -1);
  for (let to = depth + 2; to <= names.length; to += 1) if (await isLink(names.slice(0, to).join('/'))) return true;
  return false;
}
