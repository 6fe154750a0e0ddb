import type { ReactNode } from 'react';

const icon = (shape: ReactNode) => () => (
  <svg className="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
    {shape}
  </svg>
);

export const PlusIcon = icon(<path d="M10 4v12M4 10h12" />);
export const CloseIcon = icon(<path d="m5 5 10 10M15 5 5 15" />);
export const CopyIcon = icon(<path d="M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3" />);
export const CheckIcon = icon(<path d="m4.5 10.5 3.5 3.5 7.5-8" />);
export const TrashIcon = icon(<path d="M4 6h12M8 6V4h4v2M5.5 6l.8 10h7.4l.8-10M8.5 9v4M11.5 9v4" />);
export const SendIcon = icon(<path d="M10 16V4.5M5 9.5l5-5 5 5" />);
export const StopIcon = icon(<path d="M6 6h8v8H6z" fill="currentColor" />);
export const ClipIcon = icon(
  <path d="m14.5 9.5-5 5a3 3 0 0 1-4.3-4.3l6-6a2 2 0 0 1 2.9 2.9l-5.8 5.8a1 1 0 0 1-1.5-1.5l5-5" />,
);
export const FileIcon = icon(<path d="M5.5 3.5h6l3 3v10h-9zM11.5 3.5v3h3" />);
export const ImageIcon = icon(
  <path d="M3.5 4.5h13v11h-13zM3.5 13l4-4 3.5 3.5L13 10.5l3.5 3.5M12.5 7.5h.01" />,
);
export const LinkIcon = icon(
  <path d="M8 12.5 12.5 8M9 6l1.5-1.5a3.2 3.2 0 0 1 5 5L14 11M11 14l-1.5 1.500a3.2 3.2 0 0 1-5-5L6 9" />,
);
export const ToolIcon = icon(
  <path d="m11.5 8.5-7 7M12 3.800a4 4 0 1 0 4.2 4.200l-2.4 1.4-2.7-.9-.7-2.700z" />,
);
export const ShieldIcon = icon(
  <path d="M10 3 4.5 5v4.500c0 3.5 2.3 6 5.5 7.5 3.2-1.5 5.5-4 5.5-7.500V5zM7.5 10l1.8 1.800L13 8" />,
);
export const MessageIcon = icon(<path d="M3.5 4.500h13v9h-7l-3.5 3v-3h-2.500z" />);
export const BookIcon = icon(
  <path d="M4 4.500h4.500L10 6l1.5-1.500H16v10.500h-4.500L10 16.5 8.5 15H4zM10 6v10" />,
);
export const KeyboardIcon = icon(
  <path d="M2.5 5.500h15v9h-15zM5.5 8.500h.01M8.5 8.500h.01M11.5 8.500h.01M14.5 8.500h.01M6.5 11.500h7" />,
);
export const SignOutIcon = icon(<path d="M8 4H4.500v12H8M8.5 10H17M14 7l3 3-3 3" />);

export const Logo = () => (
  <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <rect width="32" height="32" rx="8" />
    <path d="M9 11h14M9 16h9M9 21h12" />
  </svg>
);
